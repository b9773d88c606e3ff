"""The names that everything shares."""

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # FER2013's own label order
SPLITS = ("train", "val", "test")  # FER2013's Training, PublicTest, PrivateTest
USAGES = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
