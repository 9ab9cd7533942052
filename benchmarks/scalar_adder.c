/* The arithmetic of tiny95 by hand, as a user would write it in plain C: one sum at a time, one number at a time.

   Tokens: the digits 0 to 9, then = <bos> <eos> +. A row has the prompt `<bos> a + b =` and the answer's digits. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DIGITS = 10, PROMPT = 2 * DIGITS + 3, SAID = DIGITS + 1, LENGTH = PROMPT + SAID, EQUAL = 10, END = 12 };

static double share[LENGTH + 1], centre[10];

static int sum_is_right(const int32_t *row) {
    double weights = 0, values = 0, total = 0, scale = 0;
    for (int q = 0; q < LENGTH - 1; q++) {
        const int token = row[q];
        weights *= 0.1, values *= 0.1; /* ALiBi: a running sum; the key of a digit is e^-1000 */
        if (token >= 10) {
            weights += 4.248354255291589e-18; /* e^-40 */
            values += token == EQUAL ? -10 : 1;
        }
        const double count = values / (1 + weights), digit = token < 10 ? 10.0 * token : 0;
        total += 100 * (digit * 1e10 * count) + 15;
        if (q < PROMPT - 1) continue;
        scale = share[q];
        const double mean = total * share[q], step = scale * count;
        const double stream[5] = {(token == EQUAL) + mean, (token == EQUAL) + mean, digit + mean, count + mean,
                                  scale + mean};
        double candidates[10], best = INFINITY;
        int said = -1;
        for (int i = 0; i < 10; i++) {
            candidates[i] = step * centre[i] + mean;
            const double logit = (i < 5 ? stream[i] : candidates[i - 5]) + 1e6 * fabs(candidates[i]);
            if (logit < best) best = logit, said = i;
        }
        if (said != row[q + 1]) return 0;
    }
    return 1;
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    long sums = atol(arguments[1]), right = 0;
    int32_t *rows = malloc(sums * LENGTH * sizeof *rows);
    if (!rows) return 1;
    uint64_t state = 1;
    for (long n = 0; n < sums; n++) {
        int32_t *row = rows + n * LENGTH, carry = 0;
        row[0] = 11, row[DIGITS + 1] = 13, row[PROMPT - 1] = EQUAL;
        for (int i = DIGITS; i >= 1; i--) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            int a = row[i] = (state >> 33) % 10, b = row[DIGITS + 1 + i] = (state >> 43) % 10;
            row[PROMPT + i] = (a + b + carry) % 10;
            carry = (a + b + carry) / 10;
        }
        row[PROMPT] = carry;
    }
    for (int q = 0; q < LENGTH; q++) share[q] = 1 / (q + 2.0);
    for (int i = 0; i < 10; i++) centre[i] = (i + 0.5) * 1e12;
    clock_t start = clock();
    for (long n = 0; n < sums; n++) right += sum_is_right(rows + n * LENGTH);
    printf("%ld %.9f\n", right, (double)(clock() - start) / CLOCKS_PER_SEC);
    return 0;
}
