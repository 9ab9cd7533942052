/* Mathematics on doubles for loops that a compiler turns into vector instructions.

   Every function is straight-line arithmetic: no call, no branch, no table, no conversion between double and int64
   (which AVX2 and NEON lack in one direction), so that gcc and clang vectorise

       for (int l = 0; l < LANES; l++) y[l] = ws_exp(x[l]);

   at -O3 -fno-math-errno -fno-trapping-math. It needs IEEE arithmetic: not -ffast-math, rounding to nearest,
   subnormal numbers kept. Operations are in the order written; -ffp-contract may be on or off.

   The polynomials are minimax fits on the stated intervals, made by `python -m benchmarks.vector_math --fit`.
*/
#ifndef WEIGHTSPEC_VECTOR_MATH_H
#define WEIGHTSPEC_VECTOR_MATH_H

#include <stdint.h>
#include <string.h>

static inline uint64_t ws_bits(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double ws_from_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline double ws_abs(double x) { return __builtin_fabs(x); }

/* Correctly rounded, as IEEE says. */
static inline double ws_sqrt(double x) { return __builtin_sqrt(x); }

/* The larger and the smaller of two; NaN where one of them is NaN. Of zeros of both signs, either. */
static inline double ws_max(double a, double b) {
    double larger = a > b ? a : b; /* b where one is NaN */
    return a != a ? a : larger;
}

static inline double ws_min(double a, double b) {
    double smaller = a < b ? a : b;
    return a != a ? a : smaller;
}

/* 2^floor(log2|x|), exactly; 0 for 0 and subnormal numbers, infinity for infinities and NaN. */
static inline double ws_power_floor(double x) { return ws_from_bits(ws_bits(x) & UINT64_C(0x7ff0000000000000)); }

/* e^x: 0 below -745.13, infinity above 709.78, NaN for NaN.

   x = n ln 2 + r with |r| <= ln(2) / 2; ln 2 is cut in two so that n times its first part is exact. Adding 1.5 * 2^52
   rounds to an integer and leaves it in the low bits, from where a shift makes it an exponent. 2^n is multiplied in two
   exact halves, so that results near both ends of the range are rounded once. */
static inline double ws_exp(double x) {
    const double to_integer = 0x1.8p52, to_exponent = 0x1.8p52 + 1023.0;
    double bounded = x > 720.0 ? 720.0 : x; /* comparisons in this direction keep NaN */
    bounded = bounded < -760.0 ? -760.0 : bounded;
    double n = (bounded * 0x1.71547652b82fep+0 + to_integer) - to_integer;
    double r = (bounded - n * 0x1.62e42fee00000p-1) - n * 0x1.a39ef35793c76p-33;
    double r2 = r * r, r4 = r2 * r2;
    /* (e^r - 1 - r) / r^2 */
    double q01 = 0x1.0000000000001p-1 + r * 0x1.5555555555558p-3;
    double q23 = 0x1.5555555553d62p-5 + r * 0x1.111111110f803p-7;
    double q45 = 0x1.6c16c1788c44dp-10 + r * 0x1.a01a01b00c2c6p-13;
    double q67 = 0x1.a019b90bc3fbdp-16 + r * 0x1.71ddf6b3f10d1p-19;
    double q89 = 0x1.289186d6aea07p-22 + r * 0x1.af632ad6abee8p-26;
    double q = (q01 + r2 * q23) + r4 * ((q45 + r2 * q67) + r4 * q89);
    double power = 1.0 + (r + r2 * q);
    double half = n * 0.5 + to_exponent;
    double rest = (n - (half - to_exponent)) + to_exponent;
    return power * ws_from_bits(ws_bits(half) << 52) * ws_from_bits(ws_bits(rest) << 52);
}

/* The error function: an odd polynomial up to 1, and 1 - e^(-x^2) p(14.4 / (|x| + 3) - 2.6) from there on, where p is
   fitted to e^(x^2) erfc(x) on 1 <= x <= 6. erf(6) rounds to 1. NaN for NaN. */
static inline double ws_erf(double x) {
    double size = __builtin_fabs(x);
    double bounded = size > 6.0 ? 6.0 : size;
    double s = bounded * bounded;
    double odd = -0x1.ace003e7b5054p-31;
    odd = odd * s + 0x1.d784948923186p-27;
    odd = odd * s - 0x1.5c16e2cee6d65p-23;
    odd = odd * s + 0x1.b9827af9bb2bdp-20;
    odd = odd * s - 0x1.f4ca94938d06cp-17;
    odd = odd * s + 0x1.f9a2bf736732ap-14;
    odd = odd * s - 0x1.c02db072ec08bp-11;
    odd = odd * s + 0x1.565bccfa9a3ccp-8;
    odd = odd * s - 0x1.b82ce31206292p-6;
    odd = odd * s + 0x1.ce2f21a041017p-4;
    odd = odd * s - 0x1.812746b0379c2p-2;
    odd = odd * s + 0x1.20dd750429b6dp+0;
    double u = 14.4 / (bounded + 3.0) - 2.6;
    double tail = -9.99085420393486e-10;
    tail = tail * u + 1.4039410152139389e-08;
    tail = tail * u + 1.3601120862835178e-09;
    tail = tail * u - 5.520468944645684e-07;
    tail = tail * u - 2.4261810519269866e-06;
    tail = tail * u + 1.9563512816272037e-05;
    tail = tail * u + 0.0003316030754029328;
    tail = tail * u + 0.00247931466657436;
    tail = tail * u + 0.012713147696685542;
    tail = tail * u + 0.0496984454041227;
    tail = tail * u + 0.15436117429428522;
    tail = tail * u + 0.20798329133342958;
    double far = 1.0 - ws_exp(-s) * tail;
    return __builtin_copysign(size < 1.0 ? bounded * odd : far, x);
}

#endif
