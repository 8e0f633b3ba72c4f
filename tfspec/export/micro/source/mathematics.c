/* Logarithm and exponential in single precision: the C library's go through double precision, which
   microcontrollers lack. */

#include <string.h>

#include "tfspec_internal.h"

/* The logarithm of 2 in two parts, the first of which can be multiplied by an exponent without rounding. */
#define LOG_2_HIGH 0.693359375f
#define LOG_2_LOW (-2.12194440e-4f)
#define LOG_2_OF_E 1.44269504f

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

float tfspec_log(float x) {
    uint32_t bits = bits_of(x);
    /* x is the power of two times a number between the roots of 1/2 and of 2. */
    int32_t power = (int32_t)(bits >> 23) - 127 + ((bits & 0x7fffffu) > 0x3504f3u);
    float above = from_bits(bits - ((uint32_t)power << 23)) - 1.0f;
    /* log((1 + s) / (1 - s)) = 2 (s + s^3 / 3 + s^5 / 5 + ...) */
    float s = above / (2.0f + above);
    float z = s * s;
    float rest = s * z * (0.666666667f + z * (0.4f + z * (0.285714286f + z * 0.222222222f)));
    return (float)power * LOG_2_HIGH + (2.0f * s + (rest + (float)power * LOG_2_LOW));
}

float tfspec_exp(float x) {
    float scaled = x * LOG_2_OF_E;
    int32_t power = (int32_t)(scaled < 0.0f ? scaled - 0.5f : scaled + 0.5f);
    if (scaled < -126.0f) {
        return 0.0f;
    }
    x = (x - (float)power * LOG_2_HIGH) - (float)power * LOG_2_LOW;
    float cubes = 0.166666667f + x * (0.0416666667f + x * (0.00833333333f + x * 0.00138888889f));
    return (1.0f + x * (1.0f + x * (0.5f + x * cubes))) * from_bits((uint32_t)(power + 127) << 23);
}
