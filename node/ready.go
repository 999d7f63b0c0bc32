package node

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// check is a line of /readyz: a part of the node, and how it is.
type check struct {
	name string
	good bool
	text string
}

func (c check) String() string {
	mark := "[+]"
	if !c.good {
		mark = "[-]"
	}
	return mark + c.name + " " + c.text
}

// serveReady fails while the node takes and gives nothing. With ?verbose it has a line
// for every part; with &exclude=NAME a part is left out, and its fault does not count.
//
// A part that is not well does not make the node unready, as long as it serves: whoever
// asks here decides where to send requests, not whether somebody should be woken.
func (n *Node) serveReady(w http.ResponseWriter, r *http.Request) {
	checks := n.readiness()
	if r.URL.Query().Has("verbose") {
		checks = append(checks, n.checkParts(r)...)
	}
	excluded := r.URL.Query()["exclude"]
	checks = slices.DeleteFunc(checks, func(c check) bool { return slices.Contains(excluded, c.name) })
	var b strings.Builder
	for _, c := range checks {
		fmt.Fprintln(&b, c)
	}
	if len(checks) > 0 && checks[0].name == checkVolume && !checks[0].good {
		http.Error(w, strings.TrimSuffix(b.String(), "\n"), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprint(w, b.String())
}

// checkVolume is the one that decides.
const checkVolume = "volume"

// readiness is what is always said: whether the node serves, and how it sees the others.
func (n *Node) readiness() []check {
	count, skew := n.around.seen()
	network := check{"network", true, fmt.Sprintf("ok (%d peers)", count)}
	if unusable(skew) {
		network = check{"clock", false, fmt.Sprintf("is %v from that of %d peers", -skew.Round(time.Second), count)}
	}
	state, reason := n.state()
	if serves(state) {
		return []check{{checkVolume, true, "ok"}, network}
	}
	return []check{{checkVolume, false, strings.TrimSuffix(state+": "+reason, ": ")}, network}
}

// checkParts are the rest.
func (n *Node) checkParts(r *http.Request) (all []check) {
	s := n.look(r.Context())
	all = append(all, check{"state", s.State == StateServing, s.State})
	for _, v := range s.Volumes {
		all = append(all, check{"volume-" + v.Name, v.State == StateServing, strings.TrimSuffix(v.State+": "+v.Reason, ": ")})
	}
	doubt := check{"clock-belief", s.Doubt == "", "ok"}
	if s.Doubt != "" {
		doubt.text = s.Doubt
	}
	all = append(all, doubt)
	for _, a := range s.Alerts {
		all = append(all, check{a.Category, a.Severity == Info, string(a.Severity) + ": " + a.Text})
	}
	return all
}
