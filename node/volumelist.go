package node

import "sync"

// volumeList is what node.toml says of volumes, while the node runs: an operator may
// change it meanwhile, and each change is on disk before it holds. The other keys are
// read when the node starts, and not here.
type volumeList struct {
	dir string

	mu     sync.Mutex
	config Config
}

func newVolumeList(dir string, c Config) *volumeList {
	return &volumeList{dir: dir, config: c}
}

// all returns the volumes, the main one first.
func (l *volumeList) all() []VolumeConfig {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.config.volumes()
}

// current is the configuration as it was written last.
func (l *volumeList) current() Config {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.config
}

// total is what all volumes offer.
func (l *volumeList) total() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.config.total()
}

func (l *volumeList) get(name string) (VolumeConfig, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.config.volume(name)
}

// change writes into node.toml what f makes of it.
func (l *volumeList) change(f func(c *Config) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, err := changeConfig(l.dir, f)
	if err != nil {
		return err
	}
	l.config = c
	return nil
}

// changeConfig writes into the node.toml of a folder what f makes of it.
func changeConfig(dir string, f func(c *Config) error) (Config, error) {
	c, err := readConfig(dir)
	if err == nil {
		err = f(&c)
	}
	if err == nil {
		err = c.Validate()
	}
	if err == nil {
		err = writeConfig(dir, c)
	}
	return c, err
}
