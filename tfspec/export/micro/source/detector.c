/* Events: where the mean of the last probabilities of a class reaches its threshold. */

#include <string.h>

#include "tfspec.h"
#include "tfspec_internal.h"

static float ring[TFSPEC_SMOOTHED_HOPS][TFSPEC_CLASSES];
static int32_t next;     /* where the next hop's probabilities go */
static int32_t filled;   /* how many hops have come, at most all that are smoothed */
static int32_t quiet;    /* for how many hops there will be no event */
static int32_t skipped;  /* how many hops came before a whole clip was heard */

void tfspec_reset_detector(void) {
    next = 0;
    filled = 0;
    quiet = 0;
    skipped = 0;
}

/* The mean is taken anew each time, the oldest first: a running sum would drift. */
static float smoothed(int32_t label) {
    float sum = 0.0f;
    int32_t place = filled < TFSPEC_SMOOTHED_HOPS ? 0 : next;
    for (int32_t i = 0; i < filled; i++) {
        sum += ring[place][label];
        place = place + 1 < TFSPEC_SMOOTHED_HOPS ? place + 1 : 0;
    }
    return sum / (float)filled;
}

int tfspec_detect(const float *probabilities, float *score) {
    int found = -1;
    *score = 0.0f;
    if (skipped < TFSPEC_WARM_UP_HOPS) {
        skipped++;
        return -1;
    }
    memcpy(ring[next], probabilities, sizeof ring[next]);
    next = next + 1 < TFSPEC_SMOOTHED_HOPS ? next + 1 : 0;
    filled = filled < TFSPEC_SMOOTHED_HOPS ? filled + 1 : filled;
    if (quiet > 0) {
        quiet--;
        return -1;
    }
    for (int32_t i = 0; i < TFSPEC_CLASSES; i++) {
        if (tfspec_thresholds[i] <= 1.0f) { /* it is listened for */
            float mean = smoothed(i);
            if (mean >= tfspec_thresholds[i] && (found < 0 || mean > *score)) {
                found = (int)i;
                *score = mean;
            }
        }
    }
    if (found >= 0) {
        quiet = TFSPEC_REFRACTORY_HOPS;
    }
    return found;
}
