/* The names of SOL_SOCKET's options, and of its control messages. */
#pragma once

#define SOL_SOCKET 1

#define SO_DEBUG	    1
#define SO_REUSEADDR	    2
#define SO_TYPE		    3
#define SO_ERROR	    4
#define SO_DONTROUTE	    5
#define SO_BROADCAST	    6
#define SO_SNDBUF	    7
#define SO_RCVBUF	    8
#define SO_KEEPALIVE	    9
#define SO_OOBINLINE	    10
#define SO_NO_CHECK	    11
#define SO_PRIORITY	    12
#define SO_LINGER	    13
#define SO_BSDCOMPAT	    14
#define SO_REUSEPORT	    15
#define SO_PASSCRED	    16
#define SO_PEERCRED	    17
#define SO_RCVLOWAT	    18
#define SO_SNDLOWAT	    19
#define SO_RCVTIMEO	    20
#define SO_SNDTIMEO	    21
#define SO_BINDTODEVICE	    25
#define SO_TIMESTAMP	    29
#define SO_ACCEPTCONN	    30
#define SO_SNDBUFFORCE	    32
#define SO_RCVBUFFORCE	    33
#define SO_TIMESTAMPNS	    35
#define SO_MARK		    36
#define SO_PROTOCOL	    38
#define SO_DOMAIN	    39
#define SO_RXQ_OVFL	    40
#define SO_SELECT_ERR_QUEUE 45
#define SO_BUSY_POLL	    46
#define SO_INCOMING_CPU	    49
#define SO_PEERGROUPS	    59
#define SO_RCVTIMEO_NEW	    66
#define SO_SNDTIMEO_NEW	    67

#define SCM_RIGHTS	1
#define SCM_CREDENTIALS 2
#define SCM_TIMESTAMP	SO_TIMESTAMP
#define SCM_TIMESTAMPNS SO_TIMESTAMPNS
