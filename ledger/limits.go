package ledger

import "time"

// Limits on what is foreign. MaxBody is docs/format.md's; the others are this
// program's and leave room to spare.
const (
	MaxBody        = 64 << 20 // encoded body
	MaxLink        = MaxBody + MaxEntry + MaxCertificate + MaxAcks + 1<<10
	MaxEntry       = 4 << 10 // encoded entry, as a signed object
	MaxCertificate = 256 << 10
	MaxAcks        = 128 << 10 // of a charter's link
	MaxCharter     = 1 << 20
	MaxGrant       = 8 << 10
	MaxReceipt     = 32 << 20
	MaxPlacement   = MaxReceipt + 2*MaxSmall
	MaxHeads       = 2 << 20
	MaxSegments    = 1 << 20
	MaxSmall       = 4 << 10 // votes, acks, acceptances, node certificates
	MaxRecord      = 16 << 10
	MaxHint        = MaxCharter + 3<<20
	MaxReport      = MaxCertificate + MaxSmall
	MaxProposal    = 32 << 20
	MaxEvidence    = 1 << 20 // what is longer is not kept
	MaxFreeze      = 512 << 10
	MaxRequest     = 256 << 10
	MaxRelease     = 256 << 10
	MaxStanding    = 1 << 20
	MaxCase        = 4 << 20
	MaxInventory   = 16 << 10
	MaxPlaced      = 1 << 20
	MaxAuditReport = 2 << 20

	MaxReleaseCertificate = MaxRelease + 256<<10
	MaxUndoCertificate    = 256 << 10
	MaxReleased           = MaxReleaseCertificate + MaxUndoCertificate + 1<<10

	MaxTargets  = 4096 // snapshots in one request, segments in one release
	MaxOpinions = 255  // of each stance about one request
	MaxReason   = 256
	MaxOpen     = 64 // requests of a vault that are neither settled nor certified

	MaxMembers   = 255
	MaxCharters  = 1024 // of a vault, one after another
	MaxAdmitted  = 4096
	MaxReported  = 4096 // holders in one audit report
	MaxGuardians = 255
	MaxHolders   = 255
	MaxLanes     = 2048     // of a vault
	MaxStates    = 4096     // segments in one question
	MaxSpans     = 1 << 16  // runs of numbers in one reference set
	MaxShards    = 1 << 18  // in one receipt
	MaxNames     = 4096     // shards in one question about where they are
	MaxSealed    = 16 << 20 // sealed snapshot in a body
	MaxAddrs     = 16
	MaxAddr      = 512
	MaxName      = 64 // names and zones, in bytes
	MaxNetwork   = 64
	MaxRecipient = 4 << 10 // an age recipient
	MaxEnvelope  = 16 << 10
	MaxSecret    = 16 << 10 // the root secret, sealed for guardians

	// MaxProof limits the file of a snapshot's receipt: its own entry, and what it needs
	// of entries before it.
	MaxProof = 256 << 20

	// MaxDeviceKeys is what an enrolment seals for its device at most: room for the
	// seeds of more than a thousand vault identities.
	MaxDeviceKeys = 64 << 10

	// MaxDeltas is the number of deltas that may stand on one full reference set.
	MaxDeltas = 63
)

// Durations that docs/format.md or the rules of a vote name.
const (
	// LeastHold is how long a receipt promises at least, from its own time on.
	LeastHold = 7 * 24 * time.Hour
	// LeastLeft is what must be left of it when a member votes.
	LeastLeft = 48 * time.Hour
	// LeastCooling is the shortest cooling-off outside test networks.
	LeastCooling = 72 * time.Hour
	// LateReceipt is how long after a charter was certified a holder may not have heard of it.
	LateReceipt = time.Hour
	// ClockSkew is how far ahead of a reader's clock an issuer's may be.
	ClockSkew = 10 * time.Minute
)

// maxSeconds keeps durations in charters far from overflow: 100 years.
const maxSeconds = 100 * 366 * 24 * 3600

// Never is the latest time that a structure can name: the end of the year 9999.
const Never = maxMillis

// maxMillis is the end of the year 9999.
const maxMillis = 253402300799999
