package main

import (
	"context"
	"path/filepath"
)

// guardianNames are the people whom the merchant of the story trusts with a part.
func guardianNames() []string { return []string{"anna", "ben", "cleo"} }

// guardianKey is where a guardian keeps the key: on no machine of the merchant's.
func (s *story) guardianKey(name string) string {
	return filepath.Join(s.dir, "home-of-"+name, name+".key")
}

func (s *story) makeGuardians(ctx context.Context) error {
	for _, name := range guardianNames() {
		if _, err := s.call(ctx, "home-of-"+name, nil, "guardian", "init", "--key", s.guardianKey(name), "--name", name); err != nil {
			return err
		}
	}
	s.note("any two of them will open the vault; one of them alone opens nothing")
	return nil
}

// recoverWithGuardians has one guardian open the envelope at home and bring the share
// on paper, and another bring the key itself.
func (s *story) recoverWithGuardians(ctx context.Context) error {
	names := guardianNames()
	paper := filepath.Join(s.dir, "share-of-"+names[0]+".txt")
	at := s.network.BootstrapFile()
	if _, err := s.call(ctx, "home-of-"+names[0], nil, "guardian", "share", "show", "--key", s.guardianKey(names[0]), "--vault", s.vaultID, "--bootstrap", at, "--out", paper); err != nil {
		return err
	}
	s.note("%s brings a share on paper, %s the key file; %s is on holiday", names[0], names[1], names[2])
	sum, err := s.call(ctx, newMachine, nil, "recover", "--share", paper, "--share", s.guardianKey(names[1]), "--bootstrap", at)
	if err != nil {
		return err
	}
	s.note("the newest snapshot was found; how sure: %s (%d of %d members answered)", sum.Freshness, sum.Answers, sum.Members)
	return nil
}
