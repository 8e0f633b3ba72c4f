/* The operators of which networks are made, on 8-bit integers. They round as TensorFlow Lite for
   Microcontrollers does. An integer q stands for scale * (q - zero point). */

#ifndef TFSPEC_KERNELS_H
#define TFSPEC_KERNELS_H

#include <stdint.h>

/* What a convolution or a pooling looks at. Height is time, and channels lie side by side. */
typedef struct {
    int32_t in_height, in_width, in_channels;
    int32_t out_height, out_width, out_channels;
    int32_t kernel_height, kernel_width;
    int32_t stride_height, stride_width;
    int32_t dilation_height, dilation_width;
    int32_t pad_top, pad_left;
    int32_t zero_in, zero_out;
    int32_t lowest, highest; /* of what comes out, which is where a ReLU ends it */
} tfspec_window;

/* Of each output channel: its factor is multiplier * 2^(shift - 31). In a convolution the zero point of what
   goes in is part of the bias. */
typedef struct {
    const int8_t *values;
    const int32_t *bias;
    const int32_t *multipliers;
    const int8_t *shifts;
} tfspec_weights;

/* Two tensors, value by value. A step says how far the next place along an axis is, 0 if it is the same. */
typedef struct {
    int32_t size[4], first_steps[4], second_steps[4];
    int32_t first_zero, second_zero, zero_out;
    int32_t first_multiplier, second_multiplier, multiplier;
    int32_t first_shift, second_shift, shift;
    int32_t lowest, highest;
} tfspec_pair;

/* Means over the middle one of three axes. */
typedef struct {
    int32_t outer, middle, inner;
    int32_t zero_in, zero_out;
    int32_t multiplier, shift;
} tfspec_mean;

typedef struct {
    int32_t size[4], in_steps[4], out_steps[4];
} tfspec_moving;

/* Weights lie as (out channel, row, column, in channel). */
void tfspec_convolution(const tfspec_window *window, const tfspec_weights *weights, const int8_t *in,
                        int8_t *out);

/* Weights lie as (row, column, out channel). */
void tfspec_depthwise(const tfspec_window *window, const tfspec_weights *weights, const int8_t *in,
                      int8_t *out);

void tfspec_average_pool(const tfspec_window *window, const int8_t *in, int8_t *out);
void tfspec_max_pool(const tfspec_window *window, const int8_t *in, int8_t *out);
void tfspec_add(const tfspec_pair *pair, const int8_t *first, const int8_t *second, int8_t *out);
void tfspec_product(const tfspec_pair *pair, const int8_t *first, const int8_t *second, int8_t *out);
void tfspec_mean_of(const tfspec_mean *mean, const int8_t *in, int8_t *out);
void tfspec_move(const tfspec_moving *moving, const int8_t *in, int8_t *out);

/* Any function of one value, as the table of what comes of -128 to 127. */
void tfspec_look_up(const int8_t *table, int32_t count, const int8_t *in, int8_t *out);

#endif
