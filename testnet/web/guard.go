package web

import "net/http"

// guard refuses what did not come from the page itself. Whoever asks knows the secret
// in the path, which no other site and no other user of this machine does; and it asks
// by the address that was printed, not by a name that somebody has pointed here; and a
// button was pressed on the page, not on another site.
func (s *Server) guard(next http.Handler) http.Handler {
	same := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != s.listener.Addr().String() {
			http.Error(w, "only for this machine", http.StatusForbidden)
			return
		}
		same.ServeHTTP(w, r)
	})
}
