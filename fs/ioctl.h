/* The ioctl()s that every descriptor, or many kinds, understand. */
#pragma once

#define FIONREAD 0x541b /* bytes that can be read */
#define FIONBIO	 0x5421 /* O_NONBLOCK */
#define FIONCLEX 0x5450
#define FIOCLEX	 0x5451
#define FIOASYNC 0x5452 /* O_ASYNC */
