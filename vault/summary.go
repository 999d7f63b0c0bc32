package vault

import (
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
	Nodes []nodeSummary     `cbor:"nodes"` // that the placements count
	Lanes []laneSummary     `cbor:"lanes"`
	Gone  []ident.PublicKey `cbor:"gone"`
	Grant []ident.Signed    `cbor:"grants"`
	Chain int               `cbor:"chain"` // number of charters that were known
}

// nodeSummary is a node that holds shards, by its certificate.
type nodeSummary struct {
	Node     ident.PublicKey `cbor:"node"`
	Operator ident.PublicKey `cbor:"operator"`
	Zone     string          `cbor:"zone"`
	Name     string          `cbor:"name,omitempty"`
	Serial   int64           `cbor:"serial"`
}

// laneSummary says how many bytes of rows a lane has behind the summary: rows of linkRow
// bytes, one for each entry from height 1 on, and then those of the segments that they
// introduce. They stand there as the machine's memory holds them: a vault may have a
// million, and nothing of it is copied.
type laneSummary struct {
	Lane     ident.PublicKey `cbor:"lane"`
	Links    int64           `cbor:"links"`
	Segments int64           `cbor:"segments"`
}

const (
	summaryName    = "history"
	summaryVersion = 4
	summaryLimit   = 1 << 30
	summaryContext = "holdfast 2026-11 summary of a vault's history in the cache v1"

	// summaryEvery is how many entries are verified again at most for want of a newer
	// summary.
	summaryEvery = 8

	// SPEC: file = tag (32) || length of the summary (4) || summary || rows of each lane
	tagSize    = 32
	lengthSize = 4

	// SPEC: row = entry (32) || body (32) || source (16) || kind (1) || clock (8) || time (8) || segments (4)
	linkRow      = 32 + 32 + 16 + 1 + 8 + 8 + 4
	notRead      = ^uint32(0) // the body has not been read: what it introduces is not known
	kindsInOrder = 4
)

var errSummary = errors.New("not a summary of this vault by this device")

func kinds() [kindsInOrder]ledger.Kind {
	return [...]ledger.Kind{ledger.KindSnapshot, ledger.KindEnrol, ledger.KindRevoke, ledger.KindCharter}
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
	p, err := s.history.summarize(s.chain.Len())
	if err != nil {
		s.options.Log.Debug("history is not summarized", "error", err)
		return
	}
	copy(p, summaryTag(s.profile.Device, s.vault, p[tagSize:]))
	if os.MkdirAll(s.history.dir, 0o700) == nil {
		writeCache(filepath.Join(s.history.dir, summaryName), p)
		s.history.unwritten = 0
	}
}

// readSummary takes the summary in, if there is one that fits.
func (s *Session) readSummary() error {
	p, err := readLimited(filepath.Join(s.history.dir, summaryName), summaryLimit)
	if err != nil {
		return err
	}
	if len(p) < tagSize || subtle.ConstantTimeCompare(p[:tagSize], summaryTag(s.profile.Device, s.vault, p[tagSize:])) != 1 {
		return errSummary
	}
	h, err := recall(s.history.dir, p, s.chain)
	if err == nil {
		s.history = h
	}
	return err
}

// summarize makes the file of a history under so many charters, with room for its tag.
func (h *history) summarize(charters int) ([]byte, error) {
	x := summary{V: summaryVersion, Chain: charters, Nodes: []nodeSummary{}, Gone: []ident.PublicKey{}, Grant: []ident.Signed{}, Lanes: []laneSummary{}}
	size := 0
	for lane, links := range h.lanes {
		l := laneSummary{Lane: lane, Links: int64(len(links)) * linkRow}
		for _, link := range links {
			l.Segments += int64(len(h.introduced.entries[link.CID].rows))
		}
		size += int(l.Links + l.Segments)
		x.Lanes = append(x.Lanes, l)
	}
	for _, node := range h.introduced.nodes {
		of, _ := h.holders.get(node)
		x.Nodes = append(x.Nodes, nodeSummary{node, of.Operator, of.Zone, of.Name, of.Serial})
	}
	for key := range h.gone {
		x.Gone = append(x.Gone, key)
	}
	for _, g := range h.signed {
		x.Grant = append(x.Grant, g)
	}
	head, err := wire.Encode(x)
	if err != nil {
		return nil, err
	}
	p := make([]byte, tagSize, tagSize+lengthSize+len(head)+size)
	p = append(binary.LittleEndian.AppendUint32(p, uint32(len(head))), head...)
	for _, l := range x.Lanes {
		p = h.appendRows(p, h.lanes[l.Lane])
	}
	return p, nil
}

// appendRows appends a lane's rows.
func (h *history) appendRows(p []byte, links []Link) []byte {
	for _, link := range links {
		in, known := h.introduced.entries[link.CID]
		p = appendLink(p, link, in.count, known)
	}
	for _, link := range links {
		p = append(p, h.introduced.entries[link.CID].rows...)
	}
	return p
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

// recall makes a history of the file of a summary, whose rows it goes on using.
func recall(dir string, p []byte, chain ledger.Chain) (*history, error) {
	if len(p) < tagSize+lengthSize {
		return nil, errSummary
	}
	length, rest := int64(binary.LittleEndian.Uint32(p[tagSize:])), p[tagSize+lengthSize:]
	if length > int64(len(rest)) {
		return nil, errSummary
	}
	var x summary
	if err := wire.DecodeVersion(rest[:length], summaryVersion, &x); err != nil {
		return nil, err
	}
	if x.Chain != chain.Len() { // under which charter an entry stands is not in it
		return nil, errSummary
	}
	rest = rest[length:]
	ch := chain.First()
	h := newHistory(dir)
	for _, n := range x.Nodes {
		h.introduced.number(n.Node)
		h.holders.know(index.Holder(n))
	}
	if len(h.introduced.nodes) != len(x.Nodes) {
		return nil, errSummary
	}
	for _, l := range x.Lanes {
		if l.Links < 0 || l.Segments < 0 || l.Links > int64(len(rest)) || l.Segments > int64(len(rest))-l.Links {
			return nil, errSummary
		}
		end := l.Links + l.Segments
		if err := h.recallLane(l.Lane, rest[:l.Links], rest[l.Links:end], chain); err != nil {
			return nil, err
		}
		rest = rest[end:]
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

func (h *history) recallLane(lane ident.PublicKey, rows, segments []byte, chain ledger.Chain) error {
	if len(rows)%linkRow != 0 {
		return errSummary
	}
	links := make([]Link, 0, len(rows)/linkRow)
	number, prev, unread := int64(0), ident.CID{}, false
	for row := rows; len(row) > 0; row = row[linkRow:] {
		height := int64(len(links)) + 1
		link, count, err := parseLink(row[:linkRow], lane, prev, height, chain.Under(lane, height))
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
			in := introduced{count: int(count), first: number}
			if in.rows, segments, err = takeRows(segments, in.count, len(h.introduced.nodes)); err != nil {
				return err
			}
			h.introduced.entries[link.CID] = in
			number += int64(count)
		}
		links, prev = append(links, link), link.CID
	}
	h.lanes[lane] = links
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
