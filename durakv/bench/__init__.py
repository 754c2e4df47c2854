"""``durakv bench``: what each policy costs and what a crash under it costs, measured on the user's own disk.

    disk        the limit: raw loops, the file system, what makes figures untrustworthy
    load        writers of every shape (threads, tasks, windows, batches), closed and open loops
    stores      durakv and its peers behind one protocol (``store``), each with its settings
    matrix      which loads which store gets, in how much time; ``contest`` makes the rounds, ``run`` the whole
    loss        what killed processes and power cuts took from what was acknowledged
    targets     the ratios that the project promises itself, with verdicts
    results     what a run found, as plain data; JSON is its file format
    report      the same for people: terminal, CSV, HTML with plots, comparison of two runs

Contestants take turns in rounds, the raw loop among them, and what is printed are medians and ratios to the raw loop
of the same round.  Needs the extra ``bench``; what is not installed is left out, visibly.
"""
