/* A classifier that listens: give it samples hop by hop, and it tells what is there.

   The numbers and names of this one (TFSPEC_HOP_SAMPLES, tfspec_class_names and so on) are in model_data.h.
   All memory is static: there is one classifier in a program, and one thread may use it. */

#ifndef TFSPEC_H
#define TFSPEC_H

#include <stdint.h>

#include "model_data.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Forget all that was heard. To be called once before the first step. */
void tfspec_reset(void);

/* Take the next TFSPEC_HOP_SAMPLES samples and give the TFSPEC_CLASSES probabilities. */
void tfspec_step(const int16_t *samples, float *probabilities);

/* Take the probabilities of the next hop. Returns the number of the class of an event, or -1 where there is
   none; `score` is then the smoothed probability that made it one, else 0. */
int tfspec_detect(const float *probabilities, float *score);

#ifdef __cplusplus
}
#endif

#endif
