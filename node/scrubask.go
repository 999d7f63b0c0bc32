package node

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// scrubPath is where the admin listener takes the order to read the volumes through.
const scrubPath = "/scrub"

// Scrub has the node that runs in dir begin to read its volumes through now, or as soon
// as the pass under way is over, and returns how far it is.
func Scrub(ctx context.Context, dir string) (s ScrubStatus, err error) {
	p, err := adminPost(ctx, dir, scrubPath, struct{}{})
	if err == nil {
		err = json.Unmarshal(p, &s)
	}
	if err != nil {
		return s, fmt.Errorf("ask for a scrub: %w", err)
	}
	return s, nil
}

func (n *Node) serveScrub(w http.ResponseWriter, r *http.Request) {
	n.scrub.hurry()
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(n.scrub.status(r.Context())); err != nil {
		n.log.Debug("scrub not answered", "error", err)
	}
}
