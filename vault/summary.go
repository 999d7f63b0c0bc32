package vault

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"

	"github.com/zeebo/blake3"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/vault/index"
)

// A summary is what this machine has verified of a vault's history, in one file of
// the cache, so that opening a vault costs what is new and not what there ever was.
// A key of this device's authenticates it: who can write to the cache can take it
// away, and not put another history in its place. Without it, or when it does not
// fit, everything is verified again from the entries.
type summary struct {
	V     int64             `cbor:"v"`
	Nodes []ident.PublicKey `cbor:"nodes"` // that the placements count
	Lanes []laneSummary     `cbor:"lanes"`
	Gone  []ident.PublicKey `cbor:"gone"`
	Grant []ident.Signed    `cbor:"grants"`
}

// laneSummary holds rows of linkRow bytes, one for each entry from height 1 on, and
// the rows of the segments that they introduce.
type laneSummary struct {
	Lane     ident.PublicKey `cbor:"lane"`
	Links    []byte          `cbor:"links"`
	Segments []byte          `cbor:"segments"`
}

const (
	summaryName    = "history"
	summaryVersion = 1
	summaryLimit   = 1 << 30
	summaryContext = "holdfast 2026-11 summary of a vault's history in the cache v1"

	// summaryEvery is how many entries are verified again at most for want of a newer
	// summary.
	summaryEvery = 8

	// SPEC: row = entry (32) || body (32) || source (16) || kind (1) || clock (8) || time (8) || segments (4)
	linkRow       = 32 + 32 + 16 + 1 + 8 + 8 + 4
	segmentRow    = 32 + 1     // segment || shards, then a number of Nodes (4) for each shard
	notRead       = ^uint32(0) // the body has not been read: what it introduces is not known
	nobody        = ^uint32(0) // holds a shard
	kindsInOrder  = 3
	placementSize = 4
)

var errSummary = errors.New("not a summary of this vault by this device")

func kinds() [kindsInOrder]ledger.Kind {
	return [...]ledger.Kind{ledger.KindSnapshot, ledger.KindEnrol, ledger.KindRevoke}
}

// summaryTag authenticates a summary for one vault.
func summaryTag(device ident.PrivateKey, vault ident.CID, p []byte) []byte {
	seed := device.Seed()
	key := make([]byte, 32)
	blake3.DeriveKey(summaryContext, seed[:], key)
	h, err := blake3.NewKeyed(key)
	if err != nil {
		panic(err) // the key has the right length
	}
	h.Write(vault.Bytes())
	h.Write(p)
	return h.Sum(nil)
}

// writeSummary keeps the history as it stands. A failure costs time later, no more.
func (s *Session) writeSummary() {
	p, err := s.history.summarize()
	if err != nil {
		s.options.Log.Debug("history is not summarized", "error", err)
		return
	}
	tag := summaryTag(s.profile.Device, s.vault, p)
	if os.MkdirAll(s.history.dir, 0o700) == nil {
		writeCache(filepath.Join(s.history.dir, summaryName), append(tag, p...))
		s.history.unwritten = 0
	}
}

// readSummary takes the summary in, if there is one that fits.
func (s *Session) readSummary() error {
	p, err := readLimited(filepath.Join(s.history.dir, summaryName), summaryLimit)
	if err != nil {
		return err
	}
	if len(p) < 32 || subtle.ConstantTimeCompare(p[:32], summaryTag(s.profile.Device, s.vault, p[32:])) != 1 {
		return errSummary
	}
	h, err := recall(s.history.dir, p[32:], s.charter)
	if err == nil {
		s.history = h
	}
	return err
}

// summarize makes a summary.
func (h *history) summarize() ([]byte, error) {
	x := summary{V: summaryVersion, Nodes: []ident.PublicKey{}, Gone: []ident.PublicKey{}, Grant: []ident.Signed{}, Lanes: []laneSummary{}}
	numbers := map[ident.PublicKey]uint32{{}: nobody}
	for lane, links := range h.lanes {
		l := laneSummary{Lane: lane}
		for _, link := range links {
			segs, known := h.introduced[link.CID]
			l.Links = appendLink(l.Links, link, len(segs), known)
			for _, seg := range segs {
				hash := seg.CID.Hash()
				l.Segments = append(append(l.Segments, hash[:]...), byte(len(seg.Nodes)))
				for _, node := range seg.Nodes {
					n, ok := numbers[node]
					if !ok && !node.IsZero() {
						n = uint32(len(x.Nodes))
						numbers[node], x.Nodes = n, append(x.Nodes, node)
					}
					l.Segments = binary.LittleEndian.AppendUint32(l.Segments, n)
				}
			}
		}
		x.Lanes = append(x.Lanes, l)
	}
	for key := range h.gone {
		x.Gone = append(x.Gone, key)
	}
	for _, g := range h.signed {
		x.Grant = append(x.Grant, g)
	}
	return wire.Encode(x)
}

func appendLink(p []byte, l Link, segments int, known bool) []byte {
	id, body := l.CID.Hash(), l.Entry.Body.Hash()
	p = append(append(append(p, id[:]...), body[:]...), l.Entry.Source[:]...)
	all := kinds()
	kind := 0
	for all[kind] != l.Entry.Kind {
		kind++
	}
	p = append(p, byte(kind))
	p = binary.LittleEndian.AppendUint64(p, uint64(l.Entry.Clock))
	p = binary.LittleEndian.AppendUint64(p, uint64(ledger.Millis(l.Time)))
	n := notRead
	if known {
		n = uint32(segments)
	}
	return binary.LittleEndian.AppendUint32(p, n)
}

// recall makes a history of a summary.
func recall(dir string, p []byte, ch ledger.Charter) (*history, error) {
	var x summary
	if err := wire.DecodeVersion(p, summaryVersion, &x); err != nil {
		return nil, err
	}
	h := newHistory(dir)
	for _, l := range x.Lanes {
		if err := h.recallLane(l, x.Nodes, ch); err != nil {
			return nil, err
		}
	}
	for _, g := range x.Grant {
		grant, err := ledger.VerifyGrant(g, ch.Owner, ch.ID())
		if err != nil {
			return nil, err
		}
		h.enrol(grant, g)
	}
	for _, key := range x.Gone {
		h.gone[key] = true
	}
	return h, nil
}

func (h *history) recallLane(l laneSummary, nodes []ident.PublicKey, ch ledger.Charter) error {
	if len(l.Links)%linkRow != 0 {
		return errSummary
	}
	r := bytes.NewReader(l.Segments)
	links := make([]Link, 0, len(l.Links)/linkRow)
	number, prev, unread := int64(0), ident.CID{}, false
	for row := l.Links; len(row) > 0; row = row[linkRow:] {
		link, count, err := parseLink(row[:linkRow], l.Lane, prev, int64(len(links))+1, ch)
		if err != nil {
			return err
		}
		switch {
		case link.Entry.Kind != ledger.KindSnapshot:
		case count == notRead:
			unread = true
		case unread: // numbers would be missing
			return errSummary
		default:
			segs, err := readSegments(r, link, nodes, number, int(count))
			if err != nil {
				return err
			}
			h.introduced[link.CID] = segs
			number += int64(len(segs))
		}
		links, prev = append(links, link), link.CID
	}
	h.lanes[l.Lane] = links
	return nil
}

func parseLink(row []byte, lane ident.PublicKey, prev ident.CID, height int64, ch ledger.Charter) (Link, uint32, error) {
	if int(row[80]) >= kindsInOrder {
		return Link{}, 0, errSummary
	}
	l := Link{
		CID:  ident.NewCID(ident.DagCBOR, [32]byte(row[:32])),
		Time: ledger.Time(int64(binary.LittleEndian.Uint64(row[89:]))),
		Entry: ledger.Entry{
			V: 1, Vault: ch.ID(), Charter: ch.CID(), Lane: lane, Height: height, Prev: prev,
			Kind: kinds()[row[80]], Source: [16]byte(row[64:80]), Body: ident.NewCID(ident.DagCBOR, [32]byte(row[32:64])),
			Clock: int64(binary.LittleEndian.Uint64(row[81:])),
		},
	}
	return l, binary.LittleEndian.Uint32(row[97:]), nil
}

// readSegments reads what an entry introduced; first is the number of its first
// segment in the lane.
func readSegments(r *bytes.Reader, l Link, nodes []ident.PublicKey, first int64, count int) ([]index.Segment, error) {
	if int64(count)*segmentRow > int64(r.Len()) {
		return nil, errSummary
	}
	out := make([]index.Segment, count)
	for i := range out {
		var row [segmentRow]byte
		if _, err := r.Read(row[:]); err != nil {
			return nil, err
		}
		seg := index.Segment{
			CID: ident.NewCID(ident.DagCBOR, [32]byte(row[:32])), Lane: l.Entry.Lane, Entry: l.CID, Number: first + int64(i),
			Nodes: make([]ident.PublicKey, row[32]), Meta: i == count-1,
		}
		at := make([]byte, placementSize*len(seg.Nodes))
		if len(at) > 0 {
			if n, err := r.Read(at); err != nil || n < len(at) {
				return nil, errSummary
			}
		}
		for shard := range seg.Nodes {
			n := binary.LittleEndian.Uint32(at[placementSize*shard:])
			if n == nobody {
				continue
			}
			if int64(n) >= int64(len(nodes)) {
				return nil, errSummary
			}
			seg.Nodes[shard] = nodes[n]
		}
		out[i] = seg
	}
	return out, nil
}
