/* What the library's own files share. */

#ifndef TFSPEC_INTERNAL_H
#define TFSPEC_INTERNAL_H

#include <stdint.h>

#include "model_data.h"

/* From samples to features, which are float. */
void tfspec_reset_front_end(void);
void tfspec_front_end(const int16_t *samples, float *features);

/* The features in the integers that the network takes: x / scale, rounded with halves away from zero. */
void tfspec_quantize(const float *features, int8_t *quantized);

/* From features to logits, with memory of earlier hops. Generated, in model_data.c. */
void tfspec_reset_network(void);
void tfspec_network(const int8_t *features, int8_t *logits);

/* From logits to probabilities. */
void tfspec_probabilities(const int8_t *logits, float *probabilities);

void tfspec_reset_detector(void);

/* Features of one frame, which may remember those before it. Generated, in model_data.c, from the functions
   below. */
void tfspec_reset_frames(void);
void tfspec_frame(const int16_t *samples, float *features);

/* Power spectrum, TFSPEC_FFT_LENGTH / 2 + 1 values, of a frame; `scratch` has TFSPEC_FFT_LENGTH places and
   holds it afterwards. The window's values are divided by 32768, what a sample is counted in; the table has
   sin(2 pi k / TFSPEC_FFT_LENGTH) for a quarter of a turn, both ends included. */
void tfspec_power_spectrum(const int16_t *samples, const float *window, const float *sines, float *scratch);

/* x, which is not below 0, to the exponent. */
void tfspec_raise(float *x, int32_t count, float exponent);

/* Weighted sums of neighbours: where each begins, how many it has, and the weights of all in a row. */
void tfspec_gather(const float *x, float *y, int32_t count, const uint16_t *firsts, const uint16_t *counts,
                   const float *weights);

/* Each sum over all of x, with a row of weights for each. */
void tfspec_multiply(const float *x, int32_t width, float *y, int32_t count, const float *weights);

/* Means of neighbours, so many together. */
void tfspec_mean_together(const float *x, float *y, int32_t count, int32_t together);

/* factor * log(max(x + offset, floor)) + addend */
void tfspec_level(float *x, int32_t count, float offset, float floor, float factor, float addend);

/* The same value everywhere. */
void tfspec_fill(float *x, int32_t count, float value);

/* x, in units of scale, by its mean over time, which goes on by the coefficient from frame to frame:
   (x / (floor + mean)^gain + bias)^power - addend */
void tfspec_normalise(float *x, float *mean, int32_t count, float scale, float coefficient, float floor,
                      float gain, float bias, float power, float addend);

/* x * factor + addend */
void tfspec_rescale(float *x, int32_t count, float factor, float addend);

/* Natural logarithm of a normal positive number, and exponential of a number that is not above 80. */
float tfspec_log(float x);
float tfspec_exp(float x);

#endif
