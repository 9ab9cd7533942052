"""A network in elementary operations, which the fast engine and the verifier follow.

`program` says what these are, and knows no step. The other modules make programs of the steps of the network IR, one
for each kind of step, named as in the torch backend: `model` puts them together, `builder` is what they append to.
"""
