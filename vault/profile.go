package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/seal"
)

// Profile is all that a machine keeps of one vault: which vault it is, what this
// device may do there, and the secrets that go with it. The phrase is not in it.
type Profile struct {
	Name      string
	Vault     ident.CID
	Charter   ident.Signed // the first charter
	Grant     ident.Signed // what the owner lets this device do
	Bootstrap []string

	Device     ident.PrivateKey
	Index      seal.Identity   // opens the index parts of this device's lane
	Keys       seal.Keys       // finds and cuts chunks
	Identities []seal.Identity // open what the vault holds; none on an append device
}

// profileFile is the form in which a profile is kept. It is private to this
// machine: no other program reads it.
type profileFile struct {
	V          int64        `cbor:"v"`
	Vault      ident.CID    `cbor:"vault"`
	Charter    ident.Signed `cbor:"charter"`
	Grant      ident.Signed `cbor:"grant"`
	Bootstrap  []string     `cbor:"bootstrap,omitempty"`
	Device     []byte       `cbor:"device"`
	Index      []byte       `cbor:"index"`
	Keys       seal.Keys    `cbor:"keys"`
	Identities [][]byte     `cbor:"identities,omitempty"`
}

const (
	profileVersion = 1
	profileLimit   = 16 << 20
	profileName    = "profile"
)

// ErrProfile says that a profile on this machine cannot be used.
var ErrProfile = errors.New("the profile on this machine is damaged")

func (h Home) profilePath(name string) string { return filepath.Join(h.vaultDir(name), profileName) }

// Save writes the profile, readable by its owner alone, and returns when it will
// survive a crash.
func (h Home) Save(p Profile) error {
	f := profileFile{
		V: profileVersion, Vault: p.Vault, Charter: p.Charter, Grant: p.Grant,
		Bootstrap: p.Bootstrap, Keys: p.Keys,
	}
	device, index := p.Device.Seed(), p.Index.Seed()
	f.Device, f.Index = device[:], index[:]
	for _, id := range p.Identities {
		seed := id.Seed()
		f.Identities = append(f.Identities, seed[:])
	}
	data, err := wire.Encode(f)
	if err != nil {
		return fmt.Errorf("save profile %s: %w", p.Name, err)
	}
	if err := atomicfile.WriteFile(h.profilePath(p.Name), data, 0o600); err != nil {
		return fmt.Errorf("save profile %s: %w", p.Name, err)
	}
	return nil
}

// Load reads the profile of the vault that this machine calls name.
func (h Home) Load(name string) (Profile, error) {
	data, err := readLimited(h.profilePath(name), profileLimit)
	if errors.Is(err, os.ErrNotExist) {
		return Profile{}, fmt.Errorf("%w: %s", ErrNoVault, name)
	}
	if err != nil {
		return Profile{}, fmt.Errorf("load profile %s: %w", name, err)
	}
	p, err := parseProfile(data)
	if err != nil {
		return Profile{}, fmt.Errorf("load profile %s: %w: %v", name, ErrProfile, err)
	}
	p.Name = name
	return p, nil
}

func parseProfile(data []byte) (Profile, error) {
	var f profileFile
	if err := wire.Decode(data, &f); err != nil {
		return Profile{}, err
	}
	if f.V != profileVersion {
		return Profile{}, fmt.Errorf("version %d is not known", f.V)
	}
	if len(f.Device) != ident.SeedSize || len(f.Index) != ident.SeedSize {
		return Profile{}, errors.New("a key has the wrong length")
	}
	p := Profile{
		Vault: f.Vault, Charter: f.Charter, Grant: f.Grant, Bootstrap: f.Bootstrap, Keys: f.Keys,
		Device: ident.NewPrivateKey([32]byte(f.Device)),
	}
	var err error
	if p.Index, err = seal.NewIdentity([32]byte(f.Index)); err != nil {
		return Profile{}, err
	}
	p.Identities, err = identitiesOf(f.Identities)
	return p, err
}

// identitiesOf makes the identities of seeds.
func identitiesOf(seeds [][]byte) ([]seal.Identity, error) {
	var out []seal.Identity
	for _, seed := range seeds {
		if len(seed) != 32 {
			return nil, errors.New("an identity has the wrong length")
		}
		id, err := seal.NewIdentity([32]byte(seed))
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

// charter returns the verified first charter.
func (p Profile) charter() (ledger.Charter, error) {
	c, err := ledger.VerifyFirstCharter(p.Charter)
	if err != nil {
		return ledger.Charter{}, fmt.Errorf("%w: %v", ErrProfile, err)
	}
	if p.Charter.CID() != p.Vault {
		return ledger.Charter{}, fmt.Errorf("%w: its charter is another vault's", ErrProfile)
	}
	return c, nil
}

// addBootstrap remembers addresses by which the network was reached.
func (p *Profile) addBootstrap(addrs []string) (changed bool) {
	const most = 64
	for _, a := range addrs {
		if len(p.Bootstrap) < most && !slices.Contains(p.Bootstrap, a) {
			p.Bootstrap = append(p.Bootstrap, a)
			changed = true
		}
	}
	return changed
}

func readLimited(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return os.ReadFile(path)
}
