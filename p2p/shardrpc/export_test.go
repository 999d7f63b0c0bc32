package shardrpc

import (
	"bytes"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// What the tests outside of the package look at.
var (
	Refusals   = refusals
	ParseRefs  = parseRefs
	EncodeRefs = encodeRefs
	Greeting   = greeting

	EncodeChallenges = encodeChallenges
	EncodeListed     = encodeListed
	ParseListed      = parseListed
)

// Messages are examples of every message, by name.
func Messages(vault, segment ident.CID, descriptor []byte, n Nonce) map[string]any {
	return map[string]any{
		"auth":            authRequest{Op: opAuth, Vault: vault, Grant: true, Parts: []uint64{2000, 300}},
		"auth, nothing":   authRequest{Op: opAuth, Vault: vault},
		"put":             putRequest{Op: opPut, Nonce: n, Index: 1, Descriptor: descriptor},
		"get":             getRequest{Op: opGet, Segment: segment, Index: 0},
		"get, answer":     getAnswer{Size: 8 << 20},
		"range":           rangeRequest{Op: opRange, Segment: segment, Index: 1, Off: 65536, N: 16384},
		"yes":             okAnswer{},
		"has":             hasRequest{Op: opHas, Parts: []uint64{80}},
		"has, answer":     hasAnswer{Has: []byte{1, 0}},
		"receipt":         receiptRequest{Op: opReceipt, Nonce: n, Parts: []uint64{80}},
		"receipt, answer": receiptAnswer{Parts: []uint64{600}},
		"audit":           auditRequest{Op: opAudit, Parts: []uint64{88}},
		"audit, answer":   auditAnswer{Outcomes: []byte{0, 12}},
		"inventory":       inventoryRequest{Op: opInventory, Nonce: n},
		"bucket":          bucketRequest{Op: opBucket, Bucket: 7},
		"bucket, after":   bucketRequest{Op: opBucket, Bucket: uint64(segment.Hash()[0]), After: must(encodeAfter(Ref{segment, 1}))},
		"bucket, answer":  bucketAnswer{More: true, Parts: []uint64{34 * MaxListed}},
		"info":            infoRequest{Op: opInfo},
		"info, devices":   infoRequest{Op: opInfo, Devices: []ident.PublicKey{ident.NewPrivateKey([ident.SeedSize]byte{1}).Public()}},
		"info, answer":    infoAnswer{Capacity: 1 << 40, Free: 1 << 39, Used: 7, Quota: 1 << 30, Network: "test-net", Clock: 1700000000000},
		"info, charged":   infoAnswer{Capacity: 1 << 40, Free: 1 << 39, Network: "test-net", Clock: 1700000000000, Charged: []int64{7}},
	}
}

// Parse reads a frame as every message and returns, encoded again, the one of that
// verb, or nil.
func Parse(p []byte) []byte {
	var h header
	if decode(p, &h) != nil {
		return nil
	}
	try := func(v any, err error) []byte {
		if err != nil {
			return nil
		}
		return wire.MustEncode(v)
	}
	switch h.Op {
	case opAuth:
		var m authRequest
		err := decode(p, &m)
		return try(m, err)
	case opPut:
		m, _, err := parsePut(p)
		return try(m, err)
	case opGet:
		var m getRequest
		err := decode(p, &m)
		if err == nil {
			_, err = parseRef(m.Segment, m.Index)
		}
		return try(m, err)
	case opRange:
		var m rangeRequest
		err := decode(p, &m)
		return try(m, err)
	case opHas:
		var m hasRequest
		err := decode(p, &m)
		return try(m, err)
	case opReceipt:
		var m receiptRequest
		err := decode(p, &m)
		return try(m, err)
	case opAudit:
		var m auditRequest
		err := decode(p, &m)
		return try(m, err)
	case opInventory:
		var m inventoryRequest
		err := decode(p, &m)
		return try(m, err)
	case opBucket:
		m, _, err := parseBucket(p)
		return try(m, err)
	}
	return nil
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// ParseAnswers reads a frame as every answer.
func ParseAnswers(p []byte) {
	var (
		get     getAnswer
		has     hasAnswer
		receipt receiptAnswer
		info    infoAnswer
		audit   auditAnswer
		bucket  bucketAnswer
	)
	if wire.Decode(p, &audit) == nil {
		_, _ = readProofs(make([]Challenge, 2), audit.Outcomes, bytes.NewReader(p))
	}
	if wire.Decode(p, &bucket) == nil {
		_ = bucketBounds.Check(bucket.Parts)
	}
	_ = wire.Decode(p, &get)
	if wire.Decode(p, &has) == nil {
		_ = checkHas(has.Has, 2)
	}
	if wire.Decode(p, &receipt) == nil {
		_ = receiptBounds.Check(receipt.Parts)
	}
	if wire.Decode(p, &info) == nil {
		_, _ = info.info(len(info.Charged))
	}
}

// ParseCredential puts together what auth has brought.
func ParseCredential(grant bool, parts [][]byte) (Credential, error) {
	return authRequest{Grant: grant}.credential(parts)
}

// ParseChallenges reads the rows of an audit request, and encodes them again.
func ParseChallenges(p []byte) ([]byte, error) {
	rows, err := parseChallenges(p)
	if err != nil {
		return nil, err
	}
	var all []Challenge
	for _, r := range rows {
		all = append(all, Challenge{r.Ref, r.group, ident.SumRaw(nil), erasure.MaxSegment})
	}
	return encodeChallenges(all)
}

// ReadProofs judges the slices of an answer.
func ReadProofs(challenges []Challenge, outcomes, proofs []byte) ([]Outcome, error) {
	return readProofs(challenges, outcomes, bytes.NewReader(proofs))
}
