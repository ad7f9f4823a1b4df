/* The counters of /proc/net/snmp and /proc/net/netstat, by RFC 1213's and Linux's names. One copy a CPU:
 * counting is one instruction. */
#pragma once

#include <kernel/cpu/percpu.h>

/* name of the line, name of the counter; in the order of Linux's file */
/* clang-format off */
#define SNMP_IP(X) \
	X(InReceives) X(InHdrErrors) X(InAddrErrors) X(ForwDatagrams) X(InUnknownProtos) \
	X(InDiscards) X(InDelivers) X(OutRequests) X(OutDiscards) X(OutNoRoutes) X(ReasmTimeout) \
	X(ReasmReqds) X(ReasmOKs) X(ReasmFails) X(FragOKs) X(FragFails) X(FragCreates) \
	X(OutTransmits)
#define SNMP_ICMP(X) \
	X(InMsgs) X(InErrors) X(InCsumErrors) X(InDestUnreachs) X(InTimeExcds) X(InParmProbs) \
	X(InSrcQuenchs) X(InRedirects) X(InEchos) X(InEchoReps) X(InTimestamps) \
	X(InTimestampReps) X(InAddrMasks) X(InAddrMaskReps) X(OutMsgs) X(OutErrors) \
	X(OutRateLimitGlobal) X(OutRateLimitHost) X(OutDestUnreachs) X(OutTimeExcds) \
	X(OutParmProbs) X(OutSrcQuenchs) X(OutRedirects) X(OutEchos) X(OutEchoReps) \
	X(OutTimestamps) X(OutTimestampReps) X(OutAddrMasks) X(OutAddrMaskReps)
#define SNMP_UDP(X) \
	X(InDatagrams) X(NoPorts) X(InErrors) X(OutDatagrams) X(RcvbufErrors) X(SndbufErrors) \
	X(InCsumErrors) X(IgnoredMulti) X(MemErrors)
#define SNMP_TCP(X) \
	X(ActiveOpens) X(PassiveOpens) X(AttemptFails) X(EstabResets) X(CurrEstab) X(InSegs) X(OutSegs) \
	X(RetransSegs) X(InErrs) X(OutRsts) X(InCsumErrors)
/* of /proc/net/netstat: of Linux's, those that Pollux counts */
#define SNMP_TCPEXT(X) \
	X(SyncookiesSent) X(SyncookiesRecv) X(SyncookiesFailed) X(EmbryonicRsts) X(PruneCalled) \
	X(RcvPruned) X(OfoPruned) X(OutOfWindowIcmps) X(TW) X(TWRecycled) X(PAWSEstab) \
	X(PAWSTimewait) X(DelayedACKs) X(DelayedACKLost) X(ListenOverflows) X(ListenDrops) \
	X(TCPRenoRecovery) X(TCPSackRecovery) X(TCPSACKReneging) X(TCPSACKReorder) \
	X(TCPFullUndo) X(TCPDSACKUndo) X(TCPLossUndo) X(TCPLostRetransmit) X(TCPFastRetrans) \
	X(TCPSlowStartRetrans) X(TCPTimeouts) X(TCPLossProbes) X(TCPLossProbeRecovery) \
	X(TCPDSACKOldSent) X(TCPDSACKOfoSent) X(TCPDSACKRecv) X(TCPDSACKOfoRecv) \
	X(TCPAbortOnData) X(TCPAbortOnClose) X(TCPAbortOnMemory) X(TCPAbortOnTimeout) \
	X(TCPAbortOnLinger) X(TCPDeferAcceptDrop) X(TCPTimeWaitOverflow) \
	X(TCPReqQFullDoCookies) X(TCPReqQFullDrop) X(TCPRcvCoalesce) X(TCPOFOQueue) \
	X(TCPOFODrop) X(TCPOFOMerge) X(TCPChallengeACK) X(TCPSYNChallenge) \
	X(TCPSpuriousRtxHostQueues) X(TCPFromZeroWindowAdv) X(TCPToZeroWindowAdv) \
	X(TCPSynRetrans) X(TCPHystartDelayDetect) X(TCPHystartDelayCwnd) X(TCPWinProbe) X(TCPKeepAlive) X(TCPZeroWindowDrop) X(TCPRcvQDrop)
#define SNMP_IPEXT(X) \
	X(InNoRoutes) X(InTruncatedPkts) X(InMcastPkts) X(OutMcastPkts) X(InBcastPkts) \
	X(OutBcastPkts) X(InOctets) X(OutOctets) X(InMcastOctets) X(OutMcastOctets) \
	X(InBcastOctets) X(OutBcastOctets) X(InCsumErrors) X(InNoECTPkts) X(InECT1Pkts) \
	X(InECT0Pkts) X(InCEPkts) X(ReasmOverlaps)
/* clang-format on */

#define SNMP_ENUM_IP(name)     IP_##name,
#define SNMP_ENUM_ICMP(name)   ICMP_##name,
#define SNMP_ENUM_UDP(name)    UDP_##name,
#define SNMP_ENUM_TCP(name)    TCP_##name,
#define SNMP_ENUM_TCPEXT(name) TCPEXT_##name,
#define SNMP_ENUM_IPEXT(name)  IPEXT_##name,
enum snmp_counter {
	SNMP_IP(SNMP_ENUM_IP) SNMP_ICMP(SNMP_ENUM_ICMP) SNMP_UDP(SNMP_ENUM_UDP)
		SNMP_TCP(SNMP_ENUM_TCP) SNMP_TCPEXT(SNMP_ENUM_TCPEXT) SNMP_IPEXT(SNMP_ENUM_IPEXT)
			NR_SNMP
};

DECLARE_PER_CPU(u64[NR_SNMP], snmp_counters);
#define snmp_inc(counter)      (this_cpu(snmp_counters[counter])++)
#define snmp_add(counter, add) (this_cpu(snmp_counters[counter]) += (add))
u64 snmp_read(enum snmp_counter counter); /* over all CPUs */
void snmp_init(void);
