/* The operators, written to be read; see kernels.h. */

#include "kernels.h"

#include <stddef.h>

/* x * multiplier * 2^(shift - 31), rounded twice: as a product of fractions, and again by the shift. */
static inline int32_t rescaled(int32_t x, int32_t multiplier, int32_t shift) {
    uint32_t raised = (uint32_t)x << (shift > 0 ? shift : 0);
    int32_t product = (int32_t)(((int64_t)(int32_t)raised * multiplier + (1 << 30)) >> 31);
    if (shift >= 0) {
        return product;
    }
    int32_t mask = (int32_t)((1u << -shift) - 1u);
    return (product >> -shift) + ((product & mask) > (mask >> 1) + (product < 0));
}

static inline int8_t clamped(int32_t x, int32_t lowest, int32_t highest) {
    return (int8_t)(x < lowest ? lowest : x > highest ? highest : x);
}

static inline int8_t finished(const tfspec_window *window, const tfspec_weights *weights, int32_t channel,
                              int32_t sum) {
    int32_t x = rescaled(sum, weights->multipliers[channel], weights->shifts[channel]);
    return clamped(x + window->zero_out, window->lowest, window->highest);
}

/* The place in the input that a tap looks at; NULL where it is padding. */
static const int8_t *place(const tfspec_window *window, const int8_t *in, int32_t row, int32_t column) {
    if (row < 0 || row >= window->in_height || column < 0 || column >= window->in_width) {
        return NULL;
    }
    return in + (row * window->in_width + column) * window->in_channels;
}

static int32_t least(int32_t a, int32_t b) {
    return a < b ? a : b;
}

/* Four channels at a time, so that a value of the input is read once for four products. Where fewer are left,
   the last one is computed several times. */
static void convolved(const tfspec_window *window, const tfspec_weights *weights, const int8_t *in,
                      int32_t top, int32_t left, int32_t channel, int8_t *out) {
    int32_t last = window->out_channels - 1, zero = window->zero_in, depth = window->in_channels;
    int32_t size = window->kernel_height * window->kernel_width * depth;
    int32_t second = least(channel + 1, last), third = least(channel + 2, last);
    int32_t fourth = least(channel + 3, last);
    const int8_t *w0 = weights->values + channel * size, *w1 = weights->values + second * size;
    const int8_t *w2 = weights->values + third * size, *w3 = weights->values + fourth * size;
    int32_t s0 = weights->bias[channel], s1 = weights->bias[second];
    int32_t s2 = weights->bias[third], s3 = weights->bias[fourth];
    for (int32_t i = 0; i < window->kernel_height; i++) {
        int32_t row = top + i * window->dilation_height, run;
        for (int32_t j = 0; j < window->kernel_width; j += run) {
            int32_t column = left + j * window->dilation_width;
            const int8_t *x = place(window, in, row, column);
            run = 1;
            if (x != NULL && window->dilation_width == 1) { /* neighbours lie in one row of values */
                run = least(window->kernel_width - j, window->in_width - column);
            }
            if (x != NULL) {
                for (const int8_t *end = x + run * depth; x != end; x++) {
                    int32_t value = *x;
                    s0 += value * *w0++;
                    s1 += value * *w1++;
                    s2 += value * *w2++;
                    s3 += value * *w3++;
                }
            } else {
                for (int32_t k = 0; k < depth; k++) {
                    s0 += zero * *w0++;
                    s1 += zero * *w1++;
                    s2 += zero * *w2++;
                    s3 += zero * *w3++;
                }
            }
        }
    }
    out[channel] = finished(window, weights, channel, s0);
    out[second] = second > channel ? finished(window, weights, second, s1) : out[second];
    out[third] = third > second ? finished(window, weights, third, s2) : out[third];
    out[fourth] = fourth > third ? finished(window, weights, fourth, s3) : out[fourth];
}

void tfspec_convolution(const tfspec_window *window, const tfspec_weights *weights, const int8_t *in,
                        int8_t *out) {
    for (int32_t y = 0; y < window->out_height; y++) {
        for (int32_t x = 0; x < window->out_width; x++) {
            int32_t top = y * window->stride_height - window->pad_top;
            int32_t left = x * window->stride_width - window->pad_left;
            for (int32_t channel = 0; channel < window->out_channels; channel += 4) {
                convolved(window, weights, in, top, left, channel, out);
            }
            out += window->out_channels;
        }
    }
}

/* The taps of one axis that look at something, from the first one to the one after the last. */
static void inside(int32_t start, int32_t step, int32_t taps, int32_t size, int32_t *first, int32_t *end) {
    *first = start < 0 ? (step - 1 - start) / step : 0;
    *end = least(taps, start < size ? (size - start + step - 1) / step : 0);
}

/* Where there is padding nothing is added: the zero point is not part of the bias, as in a convolution. */
static void convolved_alone(const tfspec_window *window, const tfspec_weights *weights, const int8_t *in,
                            int32_t top, int32_t left, int8_t *out) {
    int32_t channels = window->out_channels, zero = window->zero_in;
    int32_t repeated = channels / window->in_channels;
    int32_t first_row, end_row, first_column, end_column;
    inside(top, window->dilation_height, window->kernel_height, window->in_height, &first_row, &end_row);
    inside(left, window->dilation_width, window->kernel_width, window->in_width, &first_column, &end_column);
    for (int32_t channel = 0; channel < channels; channel += 4) {
        int32_t second = least(channel + 1, channels - 1), third = least(channel + 2, channels - 1);
        int32_t fourth = least(channel + 3, channels - 1);
        int32_t s0 = weights->bias[channel], s1 = weights->bias[second];
        int32_t s2 = weights->bias[third], s3 = weights->bias[fourth];
        int32_t from = channel / repeated, from_second = second / repeated;
        int32_t from_third = third / repeated, from_fourth = fourth / repeated;
        for (int32_t i = first_row; i < end_row; i++) {
            int32_t row = top + i * window->dilation_height;
            int32_t column = left + first_column * window->dilation_width;
            const int8_t *x = in + (row * window->in_width + column) * window->in_channels;
            const int8_t *w = weights->values + (i * window->kernel_width + first_column) * channels;
            for (int32_t j = first_column; j < end_column; j++) {
                s0 += (x[from] - zero) * w[channel];
                s1 += (x[from_second] - zero) * w[second];
                s2 += (x[from_third] - zero) * w[third];
                s3 += (x[from_fourth] - zero) * w[fourth];
                x += window->dilation_width * window->in_channels;
                w += channels;
            }
        }
        out[channel] = finished(window, weights, channel, s0);
        out[second] = second > channel ? finished(window, weights, second, s1) : out[second];
        out[third] = third > second ? finished(window, weights, third, s2) : out[third];
        out[fourth] = fourth > third ? finished(window, weights, fourth, s3) : out[fourth];
    }
}

void tfspec_depthwise(const tfspec_window *window, const tfspec_weights *weights, const int8_t *in,
                      int8_t *out) {
    for (int32_t y = 0; y < window->out_height; y++) {
        for (int32_t x = 0; x < window->out_width; x++) {
            int32_t top = y * window->stride_height - window->pad_top;
            int32_t left = x * window->stride_width - window->pad_left;
            convolved_alone(window, weights, in, top, left, out);
            out += window->out_channels;
        }
    }
}

static void pool(const tfspec_window *window, const int8_t *in, int8_t *out, int is_mean) {
    for (int32_t y = 0; y < window->out_height; y++) {
        for (int32_t x = 0; x < window->out_width; x++) {
            int32_t top = y * window->stride_height - window->pad_top;
            int32_t left = x * window->stride_width - window->pad_left;
            for (int32_t channel = 0; channel < window->out_channels; channel++) {
                int32_t sum = 0, count = 0, greatest = -128;
                for (int32_t i = 0; i < window->kernel_height; i++) {
                    for (int32_t j = 0; j < window->kernel_width; j++) {
                        const int8_t *taken = place(window, in, top + i, left + j);
                        if (taken != NULL) {
                            sum += taken[channel];
                            count++;
                            greatest = taken[channel] > greatest ? taken[channel] : greatest;
                        }
                    }
                }
                int32_t mean = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
                *out++ = clamped(is_mean ? mean : greatest, window->lowest, window->highest);
            }
        }
    }
}

void tfspec_average_pool(const tfspec_window *window, const int8_t *in, int8_t *out) {
    pool(window, in, out, 1);
}

void tfspec_max_pool(const tfspec_window *window, const int8_t *in, int8_t *out) {
    pool(window, in, out, 0);
}

/* Both are raised by 20 bits, so that little is lost where their scales are made the same. */
static int32_t sum_of(const tfspec_pair *pair, int32_t first, int32_t second) {
    return rescaled(first * (1 << 20), pair->first_multiplier, pair->first_shift) +
           rescaled(second * (1 << 20), pair->second_multiplier, pair->second_shift);
}

static void each_pair(const tfspec_pair *pair, const int8_t *first, const int8_t *second, int8_t *out,
                      int is_product) {
    const int32_t *size = pair->size, *a = pair->first_steps, *b = pair->second_steps;
    for (int32_t i = 0; i < size[0]; i++) {
        for (int32_t j = 0; j < size[1]; j++) {
            for (int32_t k = 0; k < size[2]; k++) {
                const int8_t *x = first + i * a[0] + j * a[1] + k * a[2];
                const int8_t *y = second + i * b[0] + j * b[1] + k * b[2];
                for (int32_t l = 0; l < size[3]; l++) {
                    int32_t of_first = *x - pair->first_zero, of_second = *y - pair->second_zero;
                    int32_t result = is_product ? of_first * of_second : sum_of(pair, of_first, of_second);
                    result = rescaled(result, pair->multiplier, pair->shift) + pair->zero_out;
                    *out++ = clamped(result, pair->lowest, pair->highest);
                    x += a[3];
                    y += b[3];
                }
            }
        }
    }
}

void tfspec_add(const tfspec_pair *pair, const int8_t *first, const int8_t *second, int8_t *out) {
    each_pair(pair, first, second, out, 0);
}

void tfspec_product(const tfspec_pair *pair, const int8_t *first, const int8_t *second, int8_t *out) {
    each_pair(pair, first, second, out, 1);
}

void tfspec_mean_of(const tfspec_mean *mean, const int8_t *in, int8_t *out) {
    for (int32_t i = 0; i < mean->outer; i++) {
        for (int32_t j = 0; j < mean->inner; j++) {
            const int8_t *x = in + i * mean->middle * mean->inner + j;
            int32_t sum = -mean->zero_in * mean->middle;
            for (int32_t k = 0; k < mean->middle; k++) {
                sum += *x;
                x += mean->inner;
            }
            *out++ = clamped(rescaled(sum, mean->multiplier, mean->shift) + mean->zero_out, -128, 127);
        }
    }
}

void tfspec_move(const tfspec_moving *moving, const int8_t *in, int8_t *out) {
    const int32_t *size = moving->size, *from = moving->in_steps, *to = moving->out_steps;
    for (int32_t i = 0; i < size[0]; i++) {
        for (int32_t j = 0; j < size[1]; j++) {
            for (int32_t k = 0; k < size[2]; k++) {
                const int8_t *x = in + i * from[0] + j * from[1] + k * from[2];
                int8_t *y = out + i * to[0] + j * to[1] + k * to[2];
                for (int32_t l = 0; l < size[3]; l++) {
                    *y = *x;
                    x += from[3];
                    y += to[3];
                }
            }
        }
    }
}

void tfspec_look_up(const int8_t *table, int32_t count, const int8_t *in, int8_t *out) {
    for (int32_t i = 0; i < count; i++) {
        out[i] = table[in[i] + 128];
    }
}
