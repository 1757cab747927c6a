"""Predicting a file: every row of a table or picture of a folder, answered as a call would, in the order they came.

`creation` and `drops` take the file in, `reading` gives its rows, `runs` predicts them slice by slice in the worker,
`results` gives them back as CSV, `sending` hands the unsure ones to the label queue, `clearing` forgets it all in time.
"""
