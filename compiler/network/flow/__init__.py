"""What can matter in a network, by which of its weights are zero.

`facts` goes forward: for every number of the stream, whether it can be nonzero and what it depends on. `backward` says
which weights can change which token wins. Both are structural: a weight counts as a path however small it is. So what
is called dead cannot matter, up to rounding. What is called alive may still be cancelled by something else.
"""
