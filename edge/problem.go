package edge

import (
	"net/http"

	"github.com/stampede-shop/stampede/edge/internal/respond"
)

// problem is an answer of the edge itself.
type problem = respond.Problem

var (
	problemNoOrigin = problem{Type: "temporarily-unavailable", Status: http.StatusServiceUnavailable, RetryAfter: 1,
		Detail: "no server is available right now; try again in a moment"}
	problemDraining = problem{Type: "temporarily-unavailable", Status: http.StatusServiceUnavailable, RetryAfter: 1, CloseConn: true,
		Detail: "this server is shutting down; try again"}
	problemBadGateway = problem{Type: "bad-gateway", Status: http.StatusBadGateway,
		Detail: "the server did not complete its answer; it is not known whether the request took effect, so look before sending it again"}
	problemTimeout = problem{Type: "gateway-timeout", Status: http.StatusGatewayTimeout,
		Detail: "the server did not answer in time; it is not known whether the request took effect, so look before sending it again"}
	problemNotStored = problem{Type: "gateway-timeout", Status: http.StatusGatewayTimeout,
		Detail: "nothing is stored that could be served; ask without only-if-cached"}
	problemTooLarge = problem{Type: "too-large", Status: http.StatusRequestEntityTooLarge, CloseConn: true,
		Detail: "the request body is larger than this server takes; send less at once"}
	problemSlowBody = problem{Type: "request-timeout", Status: http.StatusRequestTimeout, CloseConn: true,
		Detail: "the request body did not arrive in time; send it again"}
	problemBadBody = problem{Type: "malformed", Status: http.StatusBadRequest, CloseConn: true,
		Detail: "the request body could not be read; send it again"}
	// Hardly anybody reads this one: the client closed its side before the answer.
	problemClientGone = problem{Type: "client-closed-request", Status: 499, Title: "Client Closed Request", Detail: "the client closed the connection before the answer"}
	problemPurge      = problem{Type: "temporarily-unavailable", Status: http.StatusServiceUnavailable, RetryAfter: 1,
		Detail: "the purge did not verifiably reach every edge; send it again"}
	problemMethod = problem{Type: "method-not-allowed", Status: http.StatusMethodNotAllowed,
		Detail: "this method is not available here"}
)
