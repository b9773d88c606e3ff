"""Pictures in, uint8 batches out. Each room uses those above it alone.

drawn_faces     faces drawn by rules, of which everything is known
occlusion       facial features hidden on the fly
packed          prepared data: their format, reading and writing it
quality         the audit, near-duplicates, and which training images to leave out
augmentation    changes of training images, crops
loading         batches, and the LightningDataModule
ferplus         FER+'s votes, and the labels that follow
readers         what reads or makes pictures: FER2013, folders, drawn faces, and anybody's
landmarks       68 points on each face, and MaskFer, which is drawn by them
variant.py      prepared data as a config asks for them
packing.py      read or made, audited, packed
"""
