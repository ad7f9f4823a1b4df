/* What programs and terminals say to each other: Linux's struct termios and ioctl numbers. */
#pragma once

#include <kernel/lib/types.h>

#define NCCS 19

struct termios {
	u32 iflag, oflag, cflag, lflag;
	u8 line;
	u8 cc[NCCS];
};
static_assert(sizeof(struct termios) == 36, "struct termios");

struct termios2 { /* with speeds as numbers */
	struct termios termios;
	u32 ispeed, ospeed;
};
static_assert(sizeof(struct termios2) == 44, "struct termios2");

struct winsize {
	u16 rows, columns, xpixels, ypixels;
};

/* iflag: input */
#define ISTRIP 0000040U
#define INLCR  0000100U
#define IGNCR  0000200U
#define ICRNL  0000400U
#define IXON   0002000U
#define IXANY  0004000U
#define IUTF8  0040000U

/* oflag: output */
#define OPOST  0000001U
#define ONLCR  0000004U
#define OCRNL  0000010U
#define ONOCR  0000020U
#define ONLRET 0000040U
#define TABDLY 0014000U
#define XTABS  0014000U

/* cflag: the line; remembered, not acted upon */
#define B38400	0000017U
#define B115200 0010002U
#define CS8	0000060U
#define CREAD	0000200U
#define HUPCL	0002000U
#define CLOCAL	0004000U

/* lflag: editing */
#define ISIG	0000001U
#define ICANON	0000002U
#define ECHO	0000010U
#define ECHOE	0000020U
#define ECHOK	0000040U
#define ECHONL	0000100U
#define NOFLSH	0000200U
#define TOSTOP	0000400U
#define ECHOCTL 0001000U
#define ECHOKE	0004000U
#define IEXTEN	0100000U

/* cc: special characters; 0 switches one off */
enum {
	VINTR,
	VQUIT,
	VERASE,
	VKILL,
	VEOF,
	VTIME,
	VMIN,
	VSWTC,
	VSTART,
	VSTOP,
	VSUSP,
	VEOL,
	VREPRINT,
	VDISCARD,
	VWERASE,
	VLNEXT,
	VEOL2
};

#define TCGETS	   0x5401
#define TCSETS	   0x5402
#define TCSETSW	   0x5403
#define TCSETSF	   0x5404
#define TCSBRK	   0x5409
#define TCXONC	   0x540a
#define TCFLSH	   0x540b
#define TIOCSCTTY  0x540e
#define TIOCGPGRP  0x540f
#define TIOCSPGRP  0x5410
#define TIOCOUTQ   0x5411
#define TIOCGWINSZ 0x5413
#define TIOCSWINSZ 0x5414
#define TIOCNOTTY  0x5422
#define TIOCSETD   0x5423
#define TIOCGETD   0x5424
#define TCSBRKP	   0x5425
#define TIOCGSID   0x5429
#define TCGETS2	   0x802c542a
#define TCSETS2	   0x402c542b
#define TCSETSW2   0x402c542c
#define TCSETSF2   0x402c542d

/* TCFLSH, TCXONC */
enum { TCIFLUSH, TCOFLUSH, TCIOFLUSH };
enum { TCOOFF, TCOON, TCIOFF, TCION };
