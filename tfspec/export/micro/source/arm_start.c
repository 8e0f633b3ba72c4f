/* Starts a program on QEMU's mps2-an386, a Cortex-M4F, which talks to the computer by semihosting. */

#include <stdint.h>
#include <stdlib.h>

extern char bss_start[], bss_end[], stack_top[];
void initialise_monitor_handles(void);
int main(void);

void start(void) {
    volatile uint32_t *coprocessors = (volatile uint32_t *)0xe000ed88;
    *coprocessors |= 0xfu << 20; /* the unit for single precision */
    __asm__ volatile("dsb\n isb");
    for (char *byte = bss_start; byte != bss_end; byte++) {
        *byte = 0;
    }
    initialise_monitor_handles();
    exit(main());
}

static void fault(void) {
    abort();
}

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    (vector)(uintptr_t)stack_top, start, fault, fault, fault, fault, fault,
};
