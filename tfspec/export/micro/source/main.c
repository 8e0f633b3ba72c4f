/* Listens to standard input: 16-bit samples, low byte first, TFSPEC_SAMPLE_RATE a second, one channel.
   Prints a line for each event: seconds from the beginning, the class, and its smoothed probability. */

#include <stdio.h>

#include "tfspec.h"

int main(void) {
    static unsigned char bytes[2 * TFSPEC_HOP_SAMPLES];
    static int16_t samples[TFSPEC_HOP_SAMPLES];
    static float probabilities[TFSPEC_CLASSES];
    tfspec_reset();
    for (long hops = 1; fread(bytes, sizeof bytes, 1, stdin) == 1; hops++) {
        float score;
        int event;
        for (int i = 0; i < TFSPEC_HOP_SAMPLES; i++) {
            int value = bytes[2 * i] | bytes[2 * i + 1] << 8;
            samples[i] = (int16_t)(value < 32768 ? value : value - 65536);
        }
        tfspec_step(samples, probabilities);
        event = tfspec_detect(probabilities, &score);
        if (event >= 0) {
            double seconds = (double)hops * TFSPEC_HOP_SAMPLES / TFSPEC_SAMPLE_RATE;
            printf("%.2f %s %.3f\n", seconds, tfspec_class_names[event], (double)score);
            fflush(stdout);
        }
    }
    return 0;
}
