"""The write path as a model: three times over, equal, and compared with what the engine is seen to do.

    write_path   the machine of ``specs/models/write_path.tla`` as a transition function in Python
    explore      every state of it, within bounds; as many as Spin and TLC find
    checkers     Spin and TLC: where they are, how they are run, what they say
    mistakes     mistakes that are made in the models on purpose
    follower     a recorded life of the engine, step by step in the machine

``python -m durakv_fuzz.specification`` runs all of it.
"""
