"""How compiled code is called: functions of C that have `block` compute one block of sequences after the other."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.backends.native.columns import Columns, TokenSource


def run_entry(length: int, slots: int, places: str) -> list[str]:
    """`run`: whole blocks, the last of which repeats its last sequence. Without memory, nothing is sure."""
    return [
        "void run(const int32_t *tokens, int32_t *said, int64_t count) {",
        "char *memory = __builtin_malloc(sizeof(workspace) + 64);",
        "if (!memory) {",
        f"for (int64_t i = 0; i < count * {slots}; i++) said[i] = -1;",
        "return;",
        "}",
        "workspace *w = (workspace *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);",
        "for (int64_t first = 0; first < count; first += WS_LANES) {",
        "for (int l = 0; l < WS_LANES; l++) {",
        f"const int32_t *row = tokens + (first + l < count ? first + l : count - 1) * {length};",
        f"for (int t = 0; t < {length}; t++) w->tokens[t][l] = row[t];",
        "}",
        "block(w);",
        f"for (int l = 0; l < WS_LANES && first + l < count; l++) for (int s = 0; s < {slots}; s++)",
        f"said[(first + l) * {slots} + s] = (int32_t)w->said[{places}[s]][l];",
        "}",
        "__builtin_free(memory);",
        "}",
    ]


def check_entry(columns: Columns, places: Sequence[int]) -> list[str]:
    """`check`: whole blocks, and a last one that is filled up with its last sequence."""
    each = "for (int l = 0; l < WS_LANES; l++)"
    read = [(t, source) for t, source in enumerate(columns.read)]
    right = list(zip(places, columns.right, strict=True))
    fixed = [f"w->tokens[{t}] = (ws_symbols){{0}} + {x.first};" for t, x in read if x.column is None]
    known = [f"same &= w->said[{place}] == ws_all({x.first});" for place, x in right if x.column is None]
    return [
        *_moving("read", read),
        *_moving("right", right),
        "void check(const uint16_t *const *columns, uint8_t *sure, int64_t start, int64_t count) {",
        "char *memory = __builtin_malloc(sizeof(workspace) + 64);",
        "for (int64_t i = 0; i < count; i++) sure[start + i] = 0;",
        "if (!memory) return;",
        "workspace *w = (workspace *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);",
        *fixed,
        "for (int64_t first = start; first < start + count; first += WS_LANES) {",
        "const int64_t left = start + count - first;",
        "for (int i = 0; read[i].place >= 0; i++) {",
        "w->tokens[read[i].place] = ws_symbols_of(columns[read[i].column] + first, left) + read[i].token;",
        "}",
        "block(w);",
        "ws_masks same = (ws_masks){0} - 1;",
        *known,
        "for (int i = 0; right[i].place >= 0; i++) {",
        "const ws_symbols token = ws_symbols_of(columns[right[i].column] + first, left) + right[i].token;",
        "same &= w->said[right[i].place] == ws_numbers(token);",
        "}",
        f"{each} if (l < left) sure[first + l] = same[l] & 1;",
        "}",
        "__builtin_free(memory);",
        "}",
    ]


def _moving(name: str, sources: Sequence[tuple[int, TokenSource]]) -> list[str]:
    """A table of what is read from columns, after which a place below 0 comes."""
    rows = [f"{{{place}, {x.column}, {x.first}}}" for place, x in sources if x.column is not None]
    return [f"static const struct {{ int place, column, token; }} {name}[] = {{{', '.join([*rows, '{-1, 0, 0}'])}}};"]
