package app

import (
	"html/template"
	"net/http"
)

const signInPage = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Stampede operations</title>
<form method="post"><label>Admin token <input type="password" name="token" autofocus></label> <button>Sign in</button></form>
<p>The token is in the data folder's <code>admin-token</code> file.</p></html>`

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html><html lang="en"><meta charset="utf-8">
<meta http-equiv="refresh" content="2"><title>Stampede operations</title>
<h1>Stampede</h1>
<table><tr><th align="left">process</th><th align="left">state</th><th align="left">pid</th><th align="left">restarts</th></tr>
{{range .Processes}}<tr><td>{{.Name}}</td><td>{{.State}}</td><td>{{.PID}}</td><td>{{.Restarts}}</td></tr>
{{end}}</table>
<p><a href="/metrics">metrics</a> · <a href="/admin/stats">figures</a> · <a href="/admin/replicas">replicas</a> ·
<a href="/admin/shards">shards</a> · <a href="/debug/pprof/">profiles</a></p></html>`))

// page lists the processes; it refreshes itself.
func (p *platformOps) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; form-action 'self'")
	_ = pageTemplate.Execute(w, p.status()) // the client may be gone
}
