/*
 * Intel's gigabit controllers as their manuals describe them: "PCI/PCI-X Family of Gigabit Ethernet Controllers
 * Software Developer's Manual" (82540EM and relatives), chapter 13; 82574L datasheet, chapter 10. Only what the
 * driver uses.
 */
#pragma once

#include <kernel/lib/types.h>

enum {
	E1000_CTRL = 0x0000,
	E1000_STATUS = 0x0008,
	E1000_EERD = 0x0014, /* EEPROM read */
	E1000_ICR = 0x00c0,  /* interrupt causes; reading clears them */
	E1000_ITR = 0x00c4,  /* least time between two interrupts; 0: none but the device's own */
	E1000_IMS = 0x00d0,  /* mask: writing ones enables */
	E1000_IMC = 0x00d8,  /* ... or disables */
	E1000_RCTL = 0x0100,
	E1000_TCTL = 0x0400,
	E1000_TIPG = 0x0410, /* gap between frames */
	E1000_RDBAL = 0x2800,
	E1000_RDBAH = 0x2804,
	E1000_RDLEN = 0x2808,
	E1000_RDH = 0x2810,
	E1000_RDT = 0x2818,
	E1000_RDTR = 0x2820, /* delays before a receive interrupt */
	E1000_RADV = 0x282c,
	E1000_TDBAL = 0x3800,
	E1000_TDBAH = 0x3804,
	E1000_TDLEN = 0x3808,
	E1000_TDH = 0x3810,
	E1000_TDT = 0x3818,
	E1000_TIDV = 0x3820, /* delays before a transmit interrupt */
	E1000_TXDCTL = 0x3828,
	E1000_TADV = 0x382c,
	/* statistics: reading clears */
	E1000_CRCERRS = 0x4000,
	E1000_ALGNERRC = 0x4004,
	E1000_RXERRC = 0x400c,
	E1000_MPC = 0x4010, /* no room on the ring or in the device */
	E1000_ECOL = 0x4018,
	E1000_LATECOL = 0x4020,
	E1000_COLC = 0x4028,
	E1000_TNCRS = 0x4034,
	E1000_CEXTERR = 0x403c,
	E1000_RLEC = 0x4040,
	E1000_MPRC = 0x407c,
	E1000_RUC = 0x40a4,
	E1000_ROC = 0x40ac,
	E1000_RXCSUM = 0x5000,
	E1000_MTA = 0x5200, /* multicast hash table: 128 registers */
	E1000_RAL0 = 0x5400,
	E1000_RAH0 = 0x5404,
	E1000_REGISTERS_SIZE = 0x20000,
};

#define E1000_NR_COUNTERS 13
#define MTA_REGISTERS	  128
#define RA_ENTRIES	  15

/* CTRL */
#define CTRL_LRST    BIT(3)  /* 0: the link is not held in reset */
#define CTRL_SLU     BIT(6)  /* set link up */
#define CTRL_ILOS    BIT(7)  /* 0: loss of signal means what it says */
#define CTRL_RST     BIT(26) /* clears itself */
#define CTRL_VME     BIT(30)
#define CTRL_PHY_RST BIT(31)

#define STATUS_LU BIT(1) /* link up */

/* EERD. Where address and "done" are differs: see struct e1000_model. */
#define EERD_START	BIT(0)
#define EERD_DATA_SHIFT 16
#define EEPROM_WORDS	0x40   /* that the checksum covers, itself included */
#define EEPROM_SUM	0xbaba /* of all of them */

/* ICR, IMS, IMC */
#define INT_TXDW   BIT(0) /* a descriptor with RS was written back */
#define INT_LSC	   BIT(2) /* link status change */
#define INT_RXDMT0 BIT(4) /* few receive descriptors are left */
#define INT_RXO	   BIT(6) /* none was left */
#define INT_RXT0   BIT(7) /* frames */
#define INT_ALL	   (~0U)

/* RCTL; buffers are of 2,048 bytes when the size bits are 0 */
#define RCTL_EN	   BIT(1)
#define RCTL_UPE   BIT(3) /* every unicast frame */
#define RCTL_BAM   BIT(15)
#define RCTL_SECRC BIT(26) /* without the checksum at its end */

/* TCTL: the collision parameters are those the manual asks for at full duplex */
#define TCTL_EN	  BIT(1)
#define TCTL_PSP  BIT(3) /* pad short frames */
#define TCTL_CT	  (0x0fU << 4)
#define TCTL_COLD (0x40U << 12)

/* IEEE 802.3's gaps, for copper: 13.4.34 */
#define TIPG_COPPER (10U | 8U << 10 | 6U << 20)

#define TXDCTL_COUNT_DESC BIT(22) /* 82574: must be set */

#define RXCSUM_IPOFL BIT(8) /* check IP's sum, TCP's and UDP's */
#define RXCSUM_TUOFL BIT(9)

#define RAH_VALID BIT(31)

/* 3.2.3: a receive descriptor */
struct e1000_rx_desc {
	u64 address;
	u16 length;
	u16 checksum;
	u8 status;
	u8 errors;
	u16 special;
};
static_assert(sizeof(struct e1000_rx_desc) == 16, "the manual says so");
#define RXD_DD	      BIT(0) /* done */
#define RXD_EOP	      BIT(1) /* the frame ends here */
#define RXD_IXSM      BIT(2) /* the sums were not looked at */
#define RXD_TCPCS     BIT(5) /* TCP's or UDP's was */
#define RXD_ERR_CE    BIT(0)
#define RXD_ERR_SE    BIT(1)
#define RXD_ERR_SEQ   BIT(2)
#define RXD_ERR_CXE   BIT(4)
#define RXD_ERR_TCPE  BIT(5)
#define RXD_ERR_IPE   BIT(6)
#define RXD_ERR_RXE   BIT(7)
#define RXD_ERR_FRAME (RXD_ERR_CE | RXD_ERR_SE | RXD_ERR_SEQ | RXD_ERR_CXE | RXD_ERR_RXE)
#define RXD_ERR_SUM   (RXD_ERR_TCPE | RXD_ERR_IPE)

/* 3.3.7: a data descriptor: where bytes are, and what to do with them */
struct e1000_data_desc {
	u64 address;
	u32 command; /* length in its low 20 bits */
	u32 status;  /* DD; options from bit 8 on */
};
/* 3.3.6: a context descriptor: what the options of those behind it mean */
struct e1000_context_desc {
	u8 ip_start, ip_offset;
	u16 ip_end;
	u8 tcp_start, tcp_offset;
	u16 tcp_end; /* 0: of the frame */
	u32 command; /* length of the payload in its low 20 bits */
	u8 status;
	u8 header_length;
	u16 mss;
};
union e1000_tx_desc {
	struct e1000_data_desc data;
	struct e1000_context_desc context;
};
static_assert(sizeof(union e1000_tx_desc) == 16, "the manual says so");
#define TXD_DTYP_DATA  (1U << 20)
#define TXD_TCP	       BIT(24) /* context: TCP, else UDP */
#define TXD_EOP	       BIT(24) /* data: the frame ends here */
#define TXD_IP	       BIT(25) /* context: IPv4, else IPv6 */
#define TXD_IFCS       BIT(25) /* data: put the checksum behind the frame */
#define TXD_TSE	       BIT(26) /* cut it up */
#define TXD_RS	       BIT(27) /* write DD when done */
#define TXD_DEXT       BIT(29) /* not the old kind */
#define TXD_DD	       BIT(0)
#define TXD_POPTS_IXSM BIT(8)
#define TXD_POPTS_TXSM BIT(9)
