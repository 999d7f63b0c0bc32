package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strconv"
	"testing"

	"holdfast/store"
	"holdfast/store/storetest"
)

func newReader(p []byte) io.Reader { return bytes.NewReader(p) }

// damage puts a shard and then changes its file.
type damage struct {
	t      *testing.T
	d      *Disk
	seen   *events
	s      storetest.Segment
	key    store.Key
	intact []byte
}

func newDamage(t *testing.T, size int) *damage {
	seen := new(events)
	config := newVolume(t, 1<<30)
	config.Report = seen.report
	m := &damage{t: t, d: mustOpen(t, config), seen: seen, s: segment(t, size, 1)}
	m.key = mustPut(t, m.d, m.s, 1)
	p, err := os.ReadFile(m.d.at.shard(m.key))
	if err != nil {
		t.Fatal(err)
	}
	m.intact = p
	return m
}

// become replaces the file's content.
func (m *damage) become(p []byte) {
	m.t.Helper()
	if err := os.MkdirAll(m.d.at.folder(m.key), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(m.d.at.shard(m.key), p, 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// wantFound reads the shard and checks that the damage is found, that nothing but
// good bytes has come out, and that the file is out of the way.
func (m *damage) wantFound(what string) {
	m.t.Helper()
	before := m.seen.count(Corrupt)
	quarantined := len(names(m.t, m.d.at.quarantine()))
	var out bytes.Buffer
	err := readInto(m.t, m.d, m.key, &out)
	if !errors.Is(err, store.ErrCorrupt) {
		m.t.Errorf("%s: read: %v", what, err)
	}
	if !bytes.HasPrefix(m.s.Rows[m.key.Index], out.Bytes()) {
		m.t.Errorf("%s: wrong bytes were served", what)
	}
	if _, err := m.d.Stat(m.t.Context(), m.key); !errors.Is(err, store.ErrNotFound) {
		m.t.Errorf("%s: stat after that: %v", what, err)
	}
	if n := m.seen.count(Corrupt) - before; n != 1 {
		m.t.Errorf("%s: reported %d times", what, n)
	}
	if n := len(names(m.t, m.d.at.quarantine())) - quarantined; n != 1 {
		m.t.Errorf("%s: %d files more in quarantine", what, n)
	}
}

func readInto(t *testing.T, d *Disk, key store.Key, w io.Writer) error {
	sh, err := d.Open(t.Context(), key)
	if err != nil {
		return err
	}
	defer sh.Close()
	_, err = sh.WriteTo(w)
	return err
}

// Law: a flipped bit anywhere in a shard file is found on read and never served.
func TestFlippedBits(t *testing.T) {
	m := newDamage(t, 2*40_000)
	payload := headerSize(len(m.s.Descriptor))
	tail := payload + 40_000
	for i := 0; i < len(m.intact); {
		p := bytes.Clone(m.intact)
		p[i] ^= 1 << (i % 8)
		m.become(p)
		m.wantFound("flipped bit in byte " + strconv.Itoa(i))
		switch {
		case i < payload:
			i += 3
		case i < tail:
			i += 977
		default:
			i += 5
		}
	}
	if u := mustUsage(t, m.d); u.Shards != 0 {
		t.Errorf("usage %+v", u)
	}
	m.become(m.intact)
	mustRead(t, m.d, m.s, m.key)
}

func TestFilesOfOtherLength(t *testing.T) {
	m := newDamage(t, 2*40_000)
	for _, n := range []int{0, 1, atDescriptor, 300, 1000, 20_000, len(m.intact) - 64, len(m.intact) - 1} {
		m.become(m.intact[:n])
		m.wantFound("cut to " + strconv.Itoa(n))
	}
	for _, n := range []int{1, 64, 16 << 10} {
		m.become(append(bytes.Clone(m.intact), make([]byte, n)...))
		m.wantFound("longer by " + strconv.Itoa(n))
	}
}

// A slice is proved from what it is made of, and from nothing else.
func TestSlicesOfDamagedFiles(t *testing.T) {
	m := newDamage(t, 2*100_000)
	payload := headerSize(len(m.s.Descriptor))
	p := bytes.Clone(m.intact)
	p[payload+50_000] ^= 1
	m.become(p)
	got, err := m.s.ReadSlice(t.Context(), m.d, m.key, 0, 16_000)
	if err != nil || !bytes.Equal(got, m.s.Rows[1][:16_000]) {
		t.Errorf("slice beside the damage: %v", err)
	}
	sh, err := m.d.Open(t.Context(), m.key)
	if err != nil {
		t.Fatal(err)
	}
	defer sh.Close()
	if err := sh.Slice(io.Discard, 49_000, 2_000); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("slice over the damage: %v", err)
	}
	if m.seen.count(Corrupt) != 1 || len(names(t, m.d.at.quarantine())) != 1 {
		t.Errorf("events %+v", m.seen.list)
	}
	// The open file is the one in quarantine now. A good one that has been put since
	// stays where it is.
	mustPut(t, m.d, m.s, 1)
	if _, err := sh.WriteTo(io.Discard); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("read of the old file: %v", err)
	}
	mustRead(t, m.d, m.s, m.key)
	if m.seen.count(Corrupt) != 1 {
		t.Errorf("events %+v", m.seen.list)
	}
}

// A corrupt shard is replaced by a put, though only its payload is damaged.
func TestPutHealsCorruptShard(t *testing.T) {
	m := newDamage(t, 2*100_000)
	p := bytes.Clone(m.intact)
	p[len(p)/2] ^= 1
	m.become(p)
	mustPut(t, m.d, m.s, 1)
	mustRead(t, m.d, m.s, m.key)
	if m.seen.count(Corrupt) != 1 || len(names(t, m.d.at.quarantine())) != 1 {
		t.Errorf("events %+v", m.seen.list)
	}
	// What is in quarantine still takes space, here and after opening again.
	want := int64(2 * len(m.intact))
	if u := mustUsage(t, m.d); u.Used != want || u.Shards != 1 {
		t.Errorf("usage %+v", u)
	}
	mustClose(t, m.d)
	again := mustOpen(t, m.d.config)
	if u := mustUsage(t, again); u.Used != want || u.Shards != 1 {
		t.Errorf("usage %+v after opening again", u)
	}
}

// A whole and good file is corrupt in another's place.
func TestFileInAnotherPlace(t *testing.T) {
	m := newDamage(t, 2*40_000)
	other := segment(t, 2*40_000, 2)
	for name, key := range map[string]store.Key{
		"other index":   m.s.Key(v, 2),
		"other vault":   m.s.Key(storetest.Vault("b"), 1),
		"other segment": other.Key(v, 1),
	} {
		if err := other.Put(t.Context(), m.d, key.Vault, 3); err != nil { // makes the folder
			t.Fatal(err)
		}
		n := &damage{t, m.d, m.seen, m.s, key, nil}
		n.become(m.intact)
		n.wantFound(name)
	}
	mustRead(t, m.d, m.s, m.key)
}

func TestLaterVersionIsLeftAlone(t *testing.T) {
	m := newDamage(t, 2*40_000)
	p := bytes.Clone(m.intact)
	head := p[:headerSize(len(m.s.Descriptor))]
	binary.LittleEndian.PutUint32(head[atVersion:], 7)
	resum(head)
	m.become(p)
	if _, err := m.d.Stat(t.Context(), m.key); !errors.Is(err, ErrVersion) {
		t.Errorf("stat: %v", err)
	}
	if err := m.s.Put(t.Context(), m.d, v, 1); !errors.Is(err, ErrVersion) {
		t.Errorf("put: %v", err)
	}
	if got, err := os.ReadFile(m.d.at.shard(m.key)); err != nil || !bytes.Equal(got, p) {
		t.Errorf("the file has changed: %v", err)
	}
	if len(m.seen.list) != 0 {
		t.Errorf("events %+v", m.seen.list)
	}
}

// A file that is gone while the volume is there is lost, and is reported once.
func TestLostFile(t *testing.T) {
	m := newDamage(t, 2*40_000)
	if err := os.Remove(m.d.at.shard(m.key)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := m.d.Stat(t.Context(), m.key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("stat: %v", err)
		}
	}
	if len(m.seen.list) != 1 || m.seen.list[0].Kind != Lost || m.seen.list[0].Key != m.key {
		t.Errorf("events %+v", m.seen.list)
	}
	wantBooks(t, m.d)
}

// The folders under a running shelf can go away, and come back with the next put.
func TestFoldersRemovedUnderneath(t *testing.T) {
	m := newDamage(t, 2*40_000)
	if err := os.RemoveAll(m.d.at.folder(m.key)); err != nil {
		t.Fatal(err)
	}
	mustPut(t, m.d, m.s, 1)
	mustRead(t, m.d, m.s, m.key)
	wantBooks(t, m.d)
}
