package shardrpc_test

import (
	"testing"

	"holdfast/p2p/rpc/rpctest"
	"holdfast/p2p/shardrpc"
)

func TestDocument(t *testing.T) { rpctest.Documented(t, "3", shardrpc.Refusals) }
