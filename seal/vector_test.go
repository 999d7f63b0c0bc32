package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"holdfast/internal/ident"
)

// The vectors of docs/format.md, sections 3 and 4, stand in testdata. With
// HOLDFAST_WRITE_VECTORS set, the tests write those that are missing, and never
// change one that is there. What can be made again is, and is compared; what is
// sealed was sealed once, and must open.

// hexBytes is bytes that stand in JSON as hexadecimal digits.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

func (h *hexBytes) UnmarshalText(p []byte) (err error) {
	*h, err = hex.DecodeString(string(p))
	return err
}

type keysVector struct {
	Phrase     string           `json:"phrase"`
	Entropy    hexBytes         `json:"entropy"`
	Salt       hexBytes         `json:"salt"`
	OwnerSeed  hexBytes         `json:"ownerSeed"`
	Owner      string           `json:"owner"`
	OwnerID    hexBytes         `json:"ownerID"`
	DedupData  hexBytes         `json:"dedupData"`
	DedupTree  hexBytes         `json:"dedupTree"`
	Chunker    hexBytes         `json:"chunker"`
	Identities []identityVector `json:"identities"`
	Index      identityVector   `json:"index"` // a lane's: random, not derived
}

type identityVector struct {
	Number    uint64   `json:"number"`
	Seed      hexBytes `json:"seed"`
	Secret    string   `json:"secret"` // age's text form
	Recipient string   `json:"recipient"`
}

type chunkVector struct {
	ID     string   `json:"id"`
	Offset uint32   `json:"offset"`
	Stored uint32   `json:"stored"`
	Plain  uint32   `json:"plain"`
	Kind   Kind     `json:"kind"`
	Coding Coding   `json:"coding"`
	Bytes  hexBytes `json:"bytes"` // the plaintext
}

type sectionVector struct {
	Header int           `json:"header"`
	Size   int64         `json:"size"` // of the plaintext
	Chunks []chunkVector `json:"chunks"`
}

type indexVector struct {
	Segments []indexSegmentVector `json:"segments"`
	Chunks   []indexChunkVector   `json:"chunks"`
	Bytes    hexBytes             `json:"bytes"` // the plaintext of index.age
}

type indexSegmentVector struct {
	Segment string `json:"segment"` // "" is the metadata segment that holds the part
	Header  uint32 `json:"header"`
	Size    uint64 `json:"size"`
}

type indexChunkVector struct {
	ID      string `json:"id"`
	Segment uint32 `json:"segment"`
	Offset  uint32 `json:"offset"`
	Stored  uint32 `json:"stored"`
	Plain   uint32 `json:"plain"`
	Kind    Kind   `json:"kind"`
	Coding  Coding `json:"coding"`
}

type trailerVector struct {
	A     int64    `json:"a"`
	B     int64    `json:"b"`
	C     int64    `json:"c"`
	Total int64    `json:"total"`
	Bytes hexBytes `json:"bytes"`
}

type sizesVector struct {
	Padme  [][2]int64 `json:"padme"`  // length, padded length
	Sealed [][3]int64 `json:"sealed"` // length, recipients, sealed length
	Target [][3]int64 `json:"target"` // k, length, sealed length
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	p, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func readVector[T any](t testing.TB, name string) (v T) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(readFile(t, name)))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// keepVector compares a committed vector with the one that is made now.
func keepVector[T any](t *testing.T, name string, made T) {
	t.Helper()
	p, err := json.MarshalIndent(made, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	keepFile(t, name, func() []byte { return append(p, '\n') })
	if got := readVector[T](t, name); !reflect.DeepEqual(got, made) {
		t.Errorf("%s: the program makes something else now:\n%s", name, p)
	}
}

// keepFile writes a file that is missing, if it was asked to.
func keepFile(t *testing.T, name string, content func() []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || os.Getenv("HOLDFAST_WRITE_VECTORS") == "" {
		return
	}
	if err := os.WriteFile(path, content(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (v keysVector) identity(t testing.TB, number int) Identity {
	t.Helper()
	id, err := NewIdentity([32]byte(v.Identities[number].Seed))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (v keysVector) index(t testing.TB) Identity {
	t.Helper()
	id, err := NewIdentity([32]byte(v.Index.Seed))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (v keysVector) keys() Keys {
	return Keys{DedupData: [32]byte(v.DedupData), DedupTree: [32]byte(v.DedupTree), Chunker: [32]byte(v.Chunker)}
}

func makeKeysVector(t *testing.T) keysVector {
	e := Entropy(ident.SumRaw([]byte("holdfast vector entropy")).Hash())
	salt := []byte("holdfast vector salt")
	k := e.Keys(salt)
	owner := e.OwnerKey()
	seed, id := owner.Seed(), owner.Public().ID()
	v := keysVector{
		Phrase: e.Phrase(), Entropy: e[:], Salt: salt,
		OwnerSeed: seed[:], Owner: owner.Public().String(), OwnerID: id[:],
		DedupData: k.DedupData[:], DedupTree: k.DedupTree[:], Chunker: k.Chunker[:],
	}
	for _, number := range []uint64{0, 1, 12} {
		id, err := e.Identity(salt, number)
		if err != nil {
			t.Fatal(err)
		}
		v.Identities = append(v.Identities, makeIdentityVector(number, id))
	}
	index, err := NewIdentity(ident.SumRaw([]byte("holdfast vector index identity")).Hash())
	if err != nil {
		t.Fatal(err)
	}
	v.Index = makeIdentityVector(0, index)
	return v
}

func makeIdentityVector(number uint64, id Identity) identityVector {
	seed := id.Seed()
	return identityVector{number, seed[:], id.p.age.String(), id.Recipient().String()}
}

func TestKeyVectors(t *testing.T) {
	keepVector(t, "keys.json", makeKeysVector(t))
	v := readVector[keysVector](t, "keys.json")
	e, err := ParsePhrase(v.Phrase)
	if err != nil || !bytes.Equal(e[:], v.Entropy) {
		t.Errorf("the phrase is another: %v", err)
	}
}

// sectionPieces are the chunks of the section vector.
func sectionPieces() []piece {
	return []piece{
		{[]byte("holdfast: a chunk that is too short to shrink"), KindData},
		{bytes.Repeat([]byte("Destroying data takes a majority. "), 20), KindData},
		{bytes.Repeat([]byte("A tree object stands here. "), 20), KindTree},
	}
}

func makeSectionVector(t *testing.T, s *Section, keys Keys) sectionVector {
	rows, err := s.Directory()
	if err != nil {
		t.Fatal(err)
	}
	v := sectionVector{Header: s.HeaderLen(), Size: s.Size()}
	for _, r := range rows {
		p, err := s.ReadChunk(nil, r)
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.Check(r.Kind, r.ID, p); err != nil {
			t.Error(err)
		}
		v.Chunks = append(v.Chunks, chunkVector{r.ID.String(), r.Offset, r.Stored, r.Plain, r.Kind, r.Coding, p})
	}
	return v
}

func TestSectionVector(t *testing.T) {
	keys := readVector[keysVector](t, "keys.json")
	id := keys.identity(t, 0)
	keepFile(t, "section.age", func() []byte {
		var buf bytes.Buffer
		w, err := NewSectionWriter(&buf, 0, id.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range sectionPieces() {
			stored, coding := Compress(nil, p.plain)
			if _, err := w.Add(Row{ID: keys.keys().ID(p.kind, p.plain), Plain: uint32(len(p.plain)), Kind: p.kind, Coding: coding}, stored); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Close(false); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	})
	v := makeSectionVector(t, openSection(t, readFile(t, "section.age"), id), keys.keys())
	keepVector(t, "section.json", v)
	for i, p := range sectionPieces() {
		if !bytes.Equal(v.Chunks[i].Bytes, p.plain) {
			t.Errorf("chunk %d is another", i)
		}
	}
}

func makeIndexVector(t *testing.T, x Index) indexVector {
	v := indexVector{Bytes: encodeIndex(t, x)}
	for _, s := range x.Segments {
		sv := indexSegmentVector{Header: s.Header, Size: s.Size}
		if s.Segment.Defined() {
			sv.Segment = s.Segment.String()
		}
		v.Segments = append(v.Segments, sv)
	}
	for _, c := range x.Chunks {
		v.Chunks = append(v.Chunks, indexChunkVector{c.ID.String(), c.Segment, c.Offset, c.Stored, c.Plain, c.Kind, c.Coding})
	}
	return v
}

// TestIndexVector has an index part that both of its recipients open.
func TestIndexVector(t *testing.T) {
	keepVector(t, "index.json", makeIndexVector(t, exampleIndex()))
	v := readVector[indexVector](t, "index.json")
	if x, err := ParseIndex(v.Bytes); err != nil || !reflect.DeepEqual(x, exampleIndex()) {
		t.Errorf("read as %v, %v", x, err)
	}
	keys := readVector[keysVector](t, "keys.json")
	vault, lane := keys.identity(t, 0), keys.index(t)
	keepFile(t, "index.age", func() []byte {
		p, err := SealBytes(v.Bytes, vault.Recipient(), lane.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		return p
	})
	sealed := readFile(t, "index.age")
	for name, id := range map[string]Identity{"vault": vault, "lane": lane} {
		if p, err := OpenBytes(sealed, 1<<20, id); err != nil || !bytes.Equal(p, v.Bytes) {
			t.Errorf("the %s does not open it: %v", name, err)
		}
	}
	if _, err := OpenBytes(sealed, 1<<20, keys.identity(t, 1)); err != ErrSealed {
		t.Errorf("another identity opens it: %v", err)
	}
}

func TestTrailerVector(t *testing.T) {
	made := trailerVector{A: 12345, B: 67890, C: 4567, Total: 12345 + 67890 + 4567 + 32, Bytes: AppendTrailer(nil, 12345, 67890, 4567)}
	keepVector(t, "trailer.json", made)
	v := readVector[trailerVector](t, "trailer.json")
	if a, b, c, err := ParseTrailer(v.Bytes, v.Total); err != nil || a != v.A || b != v.B || c != v.C {
		t.Errorf("%d, %d, %d, %v", a, b, c, err)
	}
}

// blob is what the blob vector holds. A real snapshot is a signed structure of
// section 5; to the seal it is bytes.
const blob = "the bytes of a small sealed object, such as a snapshot\n"

func TestBlobVector(t *testing.T) {
	id := readVector[keysVector](t, "keys.json").identity(t, 0)
	keepFile(t, "blob.age", func() []byte {
		p, err := SealBytes([]byte(blob), id.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		return p
	})
	if p, err := OpenBytes(readFile(t, "blob.age"), 1000, id); err != nil || string(p) != blob {
		t.Errorf("%q, %v", p, err)
	}
}

func TestSizeVectors(t *testing.T) {
	var v sizesVector
	for _, n := range []int64{0, 1, 9, 100, 1000, 4097, 65536, 65537, 1_000_000, 33_544_597, 1 << 30} {
		v.Padme = append(v.Padme, [2]int64{n, Padme(n)})
	}
	for _, n := range []int64{0, 1, 65535, 65536, 65537, 131_072, 131_073, 33_544_597} {
		for r := range int64(2) {
			v.Sealed = append(v.Sealed, [3]int64{n, r + 1, SealedSize(n, int(r)+1)})
		}
	}
	for _, k := range []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 127} {
		n := TargetSize(int(k))
		v.Target = append(v.Target, [3]int64{k, n, SealedSize(n, 1)})
	}
	keepVector(t, "sizes.json", v)
}
