"""`make fuzz`: whatever is damaged, a command ends with the right result or with one sentence; see docs/reliability.md.

mutations.py   damage done to a file or a folder
parts.py       what is damaged: sources, packed data, runs; made once, by the commands themselves
cases.py       which command reads what, what it may write, and what its result is
forked.py      runs a command in a fork of a process that has imported everything
judge.py       what is wrong with how a command ended
kills.py       chains and sweeps that are killed and go on
run.py         the command line
"""
