package member

import (
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// index is one vault's bucket of the database, within a transaction. All of it but
// the locks, and what belongs to entries that are only locked, follows from the
// vault's files.
type index struct {
	b       *bolt.Bucket
	touched *touched // nil where nothing is written
}

// The buckets of a vault.
const (
	entriesBucket    = "entries"    // entry CID -> record
	bodiesBucket     = "bodies"     // body CID -> entry CID
	chainBucket      = "chain"      // lane, height -> entry CID, certified
	headsBucket      = "heads"      // lane -> height, entry CID
	locksBucket      = "locks"      // charter, lane, height, attempt -> entry CID, clock
	floorsBucket     = "floors"     // charter, lane, height -> attempt below which nothing is signed
	proposalsBucket  = "proposals"  // charter, lane, height, attempt -> signed proposal that was voted for
	evidenceBucket   = "evidence"   // kind, charter, lane, height, attempt -> evidence
	segmentsBucket   = "segments"   // segment CID -> entry CID, number, descriptor
	refsBucket       = "refs"       // entry CID -> reference set as received
	grantsBucket     = "grants"     // device -> signed grant
	revokedBucket    = "revoked"    // device -> entry CID
	placementsBucket = "placements" // segment CID, shard, operator -> time, receipt CID
	receiptsBucket   = "receipts"   // receipt CID -> number of shards it is its operator's newest for, sequence, holder
	movesBucket      = "moves"      // sequence -> receipt CID
	pulledBucket     = "pulled"     // operator -> cursor of his moves
	tablesBucket     = "tables"     // entry CID -> who holds the segments that it brings, see table.go
	holdersBucket    = "holders"    // number -> holder; node and operator -> number; operator -> number of nodes
	contestedBucket  = "contested"  // segment CID that more than one entry has brought
	heldBucket       = "held"       // entry CID -> body, while it is in no file
	unsettledBucket  = "unsettled"  // entry CID, certified and not among the files yet
	chartersBucket   = "charters"   // number, 2 for the first successor -> link with body and acks
	aboutBucket      = "about"      // see about.go

	casesBucket     = "cases"     // request CID -> caseRecord
	opinionsBucket  = "opinions"  // request CID, stance, key -> signed opinion
	releasesBucket  = "releases"  // release CID -> releaseRecord
	listsBucket     = "lists"     // release CID -> release as received
	requestedBucket = "requested" // request CID, release CID -> state, once certified
	releasedBucket  = "released"  // sequence -> release CID, certified
	closingBucket   = "closing"   // lane -> numbers in releases that are not undone
	goneBucket      = "gone"      // lane -> numbers in certified releases that are not undone
	forgottenBucket = "forgotten" // entry CID, request CID -> ms from which it stays so

	confirmationsBucket = "confirmations" // guardian -> signed confirmation of his share in the charter in force
)

func bucketNames() []string {
	return []string{
		entriesBucket, bodiesBucket, chainBucket, headsBucket, locksBucket, floorsBucket, proposalsBucket,
		evidenceBucket, segmentsBucket, refsBucket, grantsBucket,
		revokedBucket, placementsBucket, receiptsBucket, heldBucket, unsettledBucket, chartersBucket, aboutBucket,
		casesBucket, opinionsBucket, releasesBucket, listsBucket, requestedBucket, releasedBucket, closingBucket, goneBucket,
		forgottenBucket, movesBucket, pulledBucket, tablesBucket, holdersBucket, contestedBucket,
		confirmationsBucket,
	}
}

// record is what is known of an entry.
type record struct {
	V         uint64          `cbor:"v"`
	Lane      ident.PublicKey `cbor:"lane"`
	Height    int64           `cbor:"height"`
	Count     int64           `cbor:"count"` // segments the lane has introduced up to and with it
	Size      int64           `cbor:"size"`  // of its file; 0 while the body is held
	Link      []byte          `cbor:"link"`  // without body
	Certified bool            `cbor:"certified,omitempty"`
	Attempt   int64           `cbor:"attempt,omitempty"` // of the certificate in the link
	Unsure    bool            `cbor:"unsure,omitempty"`  // see ledger.LaneState.Sure
	Seen      int64           `cbor:"seen,omitempty"`    // ms, this member's first sight of it
	Source    []byte          `cbor:"source,omitempty"`  // of a complete snapshot
}

const recordVersion = 1

func (x index) bucket(name string) *bolt.Bucket { return x.b.Bucket([]byte(name)) }

func (x index) get(bucket string, key []byte) []byte { return x.bucket(bucket).Get(key) }

func (x index) put(bucket string, key, value []byte) error { return x.bucket(bucket).Put(key, value) }

// entry returns what is known of an entry; false if nothing is.
func (x index) entry(id ident.CID) (record, bool, error) {
	p := x.get(entriesBucket, id.Bytes())
	if p == nil {
		return record{}, false, nil
	}
	var r record
	if err := wire.DecodeVersion(p, recordVersion, &r); err != nil {
		return record{}, false, fmt.Errorf("read index of entry %s: %w", id, err)
	}
	return r, true, nil
}

func (x index) putEntry(id ident.CID, r record) error {
	r.V = recordVersion
	p, err := wire.Encode(r)
	if err != nil {
		return err
	}
	return x.put(entriesBucket, id.Bytes(), p)
}

// certified returns the record of a certified entry.
func (x index) certified(id ident.CID) (record, bool, error) {
	r, ok, err := x.entry(id)
	return r, ok && r.Certified, err
}

// head returns the highest certified entry of a lane, height 0 for none.
func (x index) head(lane ident.PublicKey) (int64, ident.CID, error) {
	p := x.get(headsBucket, lane.Bytes())
	if p == nil {
		return 0, ident.CID{}, nil
	}
	if len(p) != 8+ident.CIDSize {
		return 0, ident.CID{}, fmt.Errorf("read head of lane %s: %w", lane, ErrCorrupt)
	}
	id, err := ident.CIDFromBytes(p[8:])
	return int64(binary.BigEndian.Uint64(p)), id, err
}

func (x index) putHead(lane ident.PublicKey, height int64, id ident.CID) error {
	if err := x.put(chainBucket, chainKey(lane, height), id.Bytes()); err != nil {
		return err
	}
	return x.put(headsBucket, lane.Bytes(), append(number(height), id.Bytes()...))
}

// chainKey sorts a lane's entries by height.
func chainKey(lane ident.PublicKey, height int64) []byte {
	return append(lane.Bytes(), number(height)...)
}

func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// grant returns the newest grant of a device as the owner signed it.
func (x index) grant(device ident.PublicKey) (ident.Signed, bool, error) {
	p := x.get(grantsBucket, device.Bytes())
	if p == nil {
		return ident.Signed{}, false, nil
	}
	var s ident.Signed
	if err := wire.Decode(p, &s); err != nil {
		return ident.Signed{}, false, fmt.Errorf("read grant of device %s: %w", device, err)
	}
	return s, true, nil
}

func (x index) revoked(device ident.PublicKey) bool {
	return x.get(revokedBucket, device.Bytes()) != nil
}

// link returns the entry and certificate of a record, without body.
func (r record) link() (ledger.Link, error) { return ledger.ParseLink(r.Link) }
