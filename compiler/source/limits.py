"""How much a spec may ask for: specs are untrusted, so every resource has a bound."""

MAX_FILE_BYTES = 1 << 20
MAX_HEADER_BYTES = 8 * MAX_FILE_BYTES  # of a saved model: the spec as JSON text, and a line for each tensor
MAX_ERRORS = 100  # in one spec; after so many nothing more is checked
MAX_SUGGESTIONS = 50  # names of one kind for which a similar name is looked for
MAX_NESTING = 100
MAX_NODES = 50_000  # YAML nodes; an alias counts as all that it stands for
MAX_EXTENDS = 8  # specs in one chain of `extends`
MAX_INTEGER_BITS = 4096
MAX_EXPRESSION_CHARACTERS = 20_000
MAX_EXPRESSION_DEPTH = 100
MAX_WORK = 400_000  # expression nodes evaluated for one spec, and numbers of vectors and matrices made
MAX_FLOW_WORK = 8_000_000  # weights looked at, run by run, to find out what matters in a network
MAX_HEAD_DIM = 1 << 12
MAX_AXIS = 1 << 16  # dimensions of one axis, or tokens of the vocabulary
MAX_STEPS = 1000  # of a network; a step that is repeated counts again
MAX_FACTORS = 16  # matrices that one map is the product of
MAX_STORED = 1 << 24  # scalars in all stored tensors together
MAX_CONTEXT = 1 << 14  # tokens in one sequence
MAX_SCORE_ENTRIES = 1 << 22  # (head, query, key) of the score formulas of one step
MAX_ACTIVATION = 1 << 24  # numbers in one intermediate value of one sequence: context × width, heads × context²
MAX_PAIRS = 10**9  # inputs of one evaluation
MAX_BATCH = 1_000_000  # sequences that the plain module runs at once
MAX_EXHAUSTIVE = 10**8  # inputs of one exhaustive evaluation
