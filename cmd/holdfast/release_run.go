package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/vault"
)

func releaseRun(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "run [REQUEST...]", Short: "carry out what has passed",
		Long: "Asks the members which segments nobody needs any more, collects their consents and hands out\n" +
			"the certificate, for every request that has passed, or for those that are named. It can be\n" +
			"stopped at any time; the next one goes on. Exit code 14 says what is still waiting.",
		Example: "  holdfast release run\n  holdfast release run 1a2b3c4d",
		RunE: func(c *cobra.Command, args []string) error {
			s, _, err := a.synced(c.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			named := map[ident.CID]bool{}
			for _, ref := range args {
				k, err := s.Case(c.Context(), ref)
				if err != nil {
					return err
				}
				if !k.State.Open() && k.State != ledger.StateCertified {
					return withHint(waitsFor(k), exitForbidden, "it came to nothing; only a new request can pass")
				}
				named[k.Request.CID()] = true
			}
			return a.runAll(c.Context(), s, func(k vault.Case) bool {
				return len(args) == 0 && k.State != ledger.StateCertified || named[k.Request.CID()]
			})
		},
	}
}

// errWaiting says that something that was asked for is not allowed, or not yet.
var errWaiting = errors.New("not deleted")

// runAll carries out the requests that have passed, of those that are meant, and says
// what the others wait for.
func (a *app) runAll(ctx context.Context, s *vault.Session, meant func(vault.Case) bool) error {
	cases, err := s.Cases(ctx)
	if err != nil {
		return err
	}
	var waiting []vault.Case
	for _, k := range cases {
		switch {
		case !meant(k) || k.Request.Kind == ledger.RequestCharter:
		case k.State == ledger.StatePassed || k.State == ledger.StateCertified:
			done, err := s.CarryOut(ctx, k)
			a.printCarried(done, k)
			if err != nil {
				return err
			}
		case k.State.Open():
			a.printCase(k, s.Charter())
			waiting = append(waiting, k)
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	return withHint(waitsFor(waiting[0]), exitForbidden, "it goes on by the same command when its time has come; "+whoMayVeto(waiting[0], s.Charter()))
}

// waitsFor says why a request is not carried out.
func waitsFor(k vault.Case) error {
	return fmt.Errorf("%w: request %.8s is %s: %s", errWaiting, k.ID(), k.State, k.Why)
}

func (a *app) printCarried(done vault.Carried, k vault.Case) {
	if len(done.Releases) == 0 {
		return
	}
	if a.json {
		releases := []string{}
		for _, id := range done.Releases {
			releases = append(releases, id.Hex())
		}
		a.emit(map[string]any{
			"message_type": "released", "request": done.Request.Hex(), "snapshots": len(k.Request.Targets), "segments": done.Segments,
			"segments_kept": done.Kept, "releases": releases,
		})
		return
	}
	a.printf("released %s and %s by request %.8s\n", plural(len(k.Request.Targets), "snapshot"), plural(done.Segments, "segment"), done.Request.Hex())
	a.say("nodes keep the bytes in their trash for a while: holdfast release undo %.8s takes it back", done.Request.Hex())
}
