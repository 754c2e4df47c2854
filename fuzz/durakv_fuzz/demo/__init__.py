"""The demonstration: real processes killed, a simulated disk's power cut, and what the contract says to it.

    writer    the process that is killed
    kill      round 1: SIGKILL on a real disk
    power     round 2: power loss on a simulated disk
    workload  what both write, and how it is read back
    tally     acknowledged, survived, lost, and the verdict

``durakv demo`` is the face of it.
"""
