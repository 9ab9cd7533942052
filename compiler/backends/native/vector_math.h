/* Mathematics on some doubles at once, one in each lane: vector types, as gcc and clang have them on any machine.

   Every function is straight-line arithmetic: no call, no branch, no table, no conversion between double and int64
   (which AVX2 and NEON lack in one direction). It needs IEEE arithmetic: not -ffast-math, rounding to nearest,
   subnormal numbers kept. Operations are in the order written; -ffp-contract may be on or off.

   The polynomials are minimax fits on the stated intervals, made by `python -m benchmarks.minimax`. The largest errors
   that `python -m benchmarks.vector_math` has measured against mpmath, at 100,000 points of each kind:

       ws_exp   1.09 units in the last place (0.77 units of 2^-1074 where results are subnormal)
       ws_erf   2.5e-16, absolute
*/
#ifndef WEIGHTSPEC_VECTOR_MATH_H
#define WEIGHTSPEC_VECTOR_MATH_H

#include <stdint.h>

/* As wide as the registers: gcc takes wider vectors apart into single numbers where it compares them. */
#if defined __AVX512F__
#define WS_LANES 8
#define WS_EACH(a, b, c, d, e, f, g, h) (ws_lanes){a, b, c, d, e, f, g, h}
#elif defined __AVX2__
#define WS_LANES 4
#define WS_EACH(a, b, c, d, e, f, g, h) (ws_lanes){a, b, c, d}
#else
#define WS_LANES 2
#define WS_EACH(a, b, c, d, e, f, g, h) (ws_lanes){a, b}
#endif

typedef double ws_lanes __attribute__((vector_size(8 * WS_LANES)));
typedef int64_t ws_masks __attribute__((vector_size(8 * WS_LANES))); /* what comparisons give: -1 or 0 */

static inline ws_lanes ws_all(double x) { return WS_EACH(x, x, x, x, x, x, x, x); }

/* Bit by bit: `then` where the mask is -1. */
static inline ws_lanes ws_select(ws_masks mask, ws_lanes then, ws_lanes otherwise) {
    return (ws_lanes)(((ws_masks)then & mask) | ((ws_masks)otherwise & ~mask));
}

static inline ws_lanes ws_abs(ws_lanes x) { return (ws_lanes)((ws_masks)x & INT64_C(0x7fffffffffffffff)); }

/* Correctly rounded, as IEEE says. */
static inline ws_lanes ws_sqrt(ws_lanes x) {
    ws_lanes y;
    for (int l = 0; l < WS_LANES; l++) y[l] = __builtin_sqrt(x[l]);
    return y;
}

/* a < b ? then : otherwise; a > b ? a : b and a < b ? a : b, which are b where one is NaN. gcc names instructions. */
#if defined __AVX512F__ && !defined __clang__
static inline ws_lanes ws_if_less(ws_lanes a, ws_lanes b, ws_lanes then, ws_lanes otherwise) {
    return __builtin_ia32_blendmpd_512_mask(otherwise, then, __builtin_ia32_cmppd512_mask(a, b, 17, -1, 4));
}
static inline ws_lanes ws_larger(ws_lanes a, ws_lanes b) { return __builtin_ia32_maxpd512_mask(a, b, a, -1, 4); }
static inline ws_lanes ws_smaller(ws_lanes a, ws_lanes b) { return __builtin_ia32_minpd512_mask(a, b, a, -1, 4); }
#else
static inline ws_lanes ws_if_less(ws_lanes a, ws_lanes b, ws_lanes then, ws_lanes otherwise) {
    return ws_select(a < b, then, otherwise);
}
#if defined __AVX2__ && !defined __AVX512F__
static inline ws_lanes ws_larger(ws_lanes a, ws_lanes b) { return __builtin_ia32_maxpd256(a, b); }
static inline ws_lanes ws_smaller(ws_lanes a, ws_lanes b) { return __builtin_ia32_minpd256(a, b); }
#else
static inline ws_lanes ws_larger(ws_lanes a, ws_lanes b) { return ws_select(a > b, a, b); }
static inline ws_lanes ws_smaller(ws_lanes a, ws_lanes b) { return ws_select(a < b, a, b); }
#endif
#endif

/* The larger and the smaller of two; NaN where one of them is NaN. Of zeros of both signs, either. */
static inline ws_lanes ws_max(ws_lanes a, ws_lanes b) {
    return ws_select(a != a, a, ws_larger(a, b)); /* which is b where one is NaN */
}

static inline ws_lanes ws_min(ws_lanes a, ws_lanes b) {
    ws_lanes smaller = ws_select(a < b, a, b);
    return ws_select(a != a, a, smaller);
}

/* The next symbols of a column, of which so many are left: a last one stands for those that are not. Symbols as numbers.
   gcc converts vectors of half a register in parts. */
typedef int32_t ws_symbols __attribute__((vector_size(4 * WS_LANES)));
typedef uint16_t ws_column __attribute__((vector_size(2 * WS_LANES)));
#if WS_LANES == 4 && !defined __clang__
static inline ws_symbols ws_widened(ws_column column) {
    typedef int16_t halves __attribute__((vector_size(16)));
    typedef int64_t pairs __attribute__((vector_size(16)));
    return __builtin_ia32_pmovzxwd128((halves)(pairs){(int64_t)column, 0});
}
static inline ws_lanes ws_numbers(ws_symbols symbols) { return __builtin_ia32_cvtdq2pd256(symbols); }
#else
static inline ws_symbols ws_widened(ws_column column) { return __builtin_convertvector(column, ws_symbols); }
static inline ws_lanes ws_numbers(ws_symbols symbols) { return __builtin_convertvector(symbols, ws_lanes); }
#endif
static inline ws_symbols ws_symbols_of(const uint16_t *column, int64_t left) {
    ws_column symbols;
    if (left >= WS_LANES)
        __builtin_memcpy(&symbols, column, sizeof symbols);
    else
        for (int l = 0; l < WS_LANES; l++) symbols[l] = column[l < left ? l : left - 1];
    return ws_widened(symbols);
}

/* Of a table of 16 numbers, those of the places, 0 to 15. */
static inline ws_lanes ws_looked_up(const double *table, ws_symbols places) {
    ws_lanes found;
#if WS_LANES == 8 && !defined __clang__
    ws_lanes first, rest;
    __builtin_memcpy(&first, table, sizeof first);
    __builtin_memcpy(&rest, table + 8, sizeof rest);
    found = __builtin_shuffle(first, rest, __builtin_convertvector(places, ws_masks));
#else
    for (int l = 0; l < WS_LANES; l++) found[l] = table[places[l]];
#endif
    return found;
}

/* 2^floor(log2|x|), exactly; 0 for 0 and subnormal numbers, infinity for infinities and NaN. */
static inline ws_lanes ws_power_floor(ws_lanes x) { return (ws_lanes)((ws_masks)x & INT64_C(0x7ff0000000000000)); }

/* e^x: 0 below -745.13, infinity above 709.78, NaN for NaN.

   x = n ln 2 + r with |r| <= ln(2) / 2; ln 2 is cut in two so that n times its first part is exact. Adding 1.5 * 2^52
   rounds to an integer and leaves it in the low bits, from where a shift makes it an exponent. 2^n is multiplied in two
   exact halves, so that results near both ends of the range are rounded once.

   What is added to 1 is at most 0.42 in size. With u = 2^-53 it is off by 0.25 u e^r from r (whose first difference is
   exact and whose second is rounded), 0.3 u from r^2 q and 0.25 u from their sum; then 1 + it is rounded. So a result is
   within 1.3 units in the last place and within 2^-52 of itself, or within 1.2 * 2^-1074 where it is subnormal. */
static inline ws_lanes ws_exp(ws_lanes x) {
    const double to_integer = 0x1.8p52, to_exponent = 0x1.8p52 + 1023.0;
    ws_lanes bounded = ws_select(x > ws_all(720.0), ws_all(720.0), x); /* comparisons in this direction keep NaN */
    bounded = ws_select(bounded < ws_all(-760.0), ws_all(-760.0), bounded);
    ws_lanes n = (bounded * 0x1.71547652b82fep+0 + to_integer) - to_integer;
    ws_lanes r = (bounded - n * 0x1.62e42fee00000p-1) - n * 0x1.a39ef35793c76p-33;
    ws_lanes r2 = r * r, r4 = r2 * r2;
    /* (e^r - 1 - r) / r^2 */
    ws_lanes q01 = 0x1.000000000000bp-1 + r * 0x1.5555555555561p-3;
    ws_lanes q23 = 0x1.5555555550031p-5 + r * 0x1.111111110d63cp-7;
    ws_lanes q45 = 0x1.6c16c185a72aep-10 + r * 0x1.a01a01bae1859p-13;
    ws_lanes q67 = 0x1.a0199694228e5p-16 + r * 0x1.71dddfcd2f85cp-19;
    ws_lanes q89 = 0x1.28b048c30cd17p-22 + r * 0x1.af8585e7f5fb9p-26;
    ws_lanes q = (q01 + r2 * q23) + r4 * ((q45 + r2 * q67) + r4 * q89);
    ws_lanes power = 1.0 + (r + r2 * q);
    ws_lanes half = n * 0.5 + to_exponent;
    ws_lanes rest = (n - (half - to_exponent)) + to_exponent;
    return power * (ws_lanes)((ws_masks)half << 52) * (ws_lanes)((ws_masks)rest << 52);
}

/* The error function: an odd polynomial up to 1, and 1 - e^(-x^2) p(14.4 / (|x| + 3) - 2.6) from there on, where p is
   fitted to e^(x^2) erfc(x) on 1 <= x <= 6. erf(6) rounds to 1. NaN for NaN. */
static inline ws_lanes ws_erf(ws_lanes x) {
    ws_lanes size = ws_abs(x);
    ws_lanes bounded = ws_select(size > ws_all(6.0), ws_all(6.0), size);
    ws_lanes s = bounded * bounded;
    ws_lanes odd = ws_all(-0x1.a4aebfd1d9953p-31);
    odd = odd * s + 0x1.d493752956185p-27;
    odd = odd * s - 0x1.5ba14f8712d5fp-23;
    odd = odd * s + 0x1.b96d8e95b1395p-20;
    odd = odd * s - 0x1.f4c83e220e355p-17;
    odd = odd * s + 0x1.f9a293dd887cbp-14;
    odd = odd * s - 0x1.c02dae5e581ddp-11;
    odd = odd * s + 0x1.565bccea47f42p-8;
    odd = odd * s - 0x1.b82ce31169be3p-6;
    odd = odd * s + 0x1.ce2f21a03dc0ep-4;
    odd = odd * s - 0x1.812746b037942p-2;
    odd = odd * s + 0x1.20dd750429b6dp+0;
    ws_lanes u = 14.4 / (bounded + 3.0) - 2.6;
    ws_lanes tail = ws_all(-0x1.12a2453086529p-30);
    tail = tail * u + 0x1.e2653495a91adp-27;
    tail = tail * u + 0x1.75c74b08c9f69p-30;
    tail = tail * u - 0x1.2860b259fb9abp-21;
    tail = tail * u - 0x1.45a2f44ee96f7p-19;
    tail = tail * u + 0x1.4838a5e503c19p-16;
    tail = tail * u + 0x1.5bb605d3920a4p-12;
    tail = tail * u + 0x1.44f7fed199692p-9;
    tail = tail * u + 0x1.a0959ccb1255ap-7;
    tail = tail * u + 0x1.972131b58725ap-5;
    tail = tail * u + 0x1.3c21b61aedcb8p-3;
    tail = tail * u + 0x1.a9f324d321d56p-3;
    ws_lanes far = 1.0 - ws_exp(-s) * tail;
    ws_lanes found = ws_select(size < ws_all(1.0), bounded * odd, far); /* of |x|: x has the sign */
    return (ws_lanes)((ws_masks)found | ((ws_masks)x & INT64_MIN));
}

#endif
