/* Counts the instructions of a hop in QEMU, where with -icount shift=0 each takes a nanosecond and the
   processor's timer counts 25 million times a second: once in 40 instructions. */

#include <stdio.h>

#include "test_vectors.h"
#include "tfspec.h"

#define INSTRUCTIONS_A_TICK 40
#define LONGEST 0xffffffu

int main(void) {
    static float probabilities[TFSPEC_CLASSES];
    volatile uint32_t *control = (volatile uint32_t *)0xe000e010;
    volatile uint32_t *reload = (volatile uint32_t *)0xe000e014;
    volatile uint32_t *count = (volatile uint32_t *)0xe000e018;
    unsigned long ticks = 0;
    float score;
    *reload = LONGEST;
    *count = 0;
    *control = 5; /* on, by the processor's clock */
    tfspec_reset();
    for (int hop = 0; hop < TEST_HOPS; hop++) {
        uint32_t before = *count;
        tfspec_step(test_samples + hop * TFSPEC_HOP_SAMPLES, probabilities);
        tfspec_detect(probabilities, &score);
        ticks += (before - *count) & LONGEST;
    }
    printf("%lu\n", ticks * INSTRUCTIONS_A_TICK / TEST_HOPS);
    return 0;
}
