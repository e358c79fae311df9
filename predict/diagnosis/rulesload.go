package diagnosis

const (
	redis = "redis"
	nats  = "nats"
)

// sharedCache finds that processes do not reach Redis, or late.
func sharedCache(v view) []sign {
	if !v.alive(redis) {
		return nil
	}
	up, known := v.now("l2.up")
	errors := v.sum("l2.errors", 2)
	if known && (up < 1 || errors >= 20) {
		return one(redis, Unreachable, 0.8, "%.0f %% of the processes go on without it, after %.0f failed calls in two seconds; asked directly, it answers", 100*(1-up), errors)
	}
	now, ok := v.mean("l2.s", "l2.n", 2, 3)
	usual, before := v.before(redis, Slow, per("l2.s", "l2.n", 2))
	probe, _ := v.now("probe.s/" + redis)
	if !ok || !before || !v.late(now, usual) || now < 3*probe {
		return nil
	}
	return one(redis, Slow, 0.75, "a lookup takes %.1f ms, usually %.1f ms; asked directly, it answers in %.1f ms", 1e3*now, 1e3*usual, 1e3*probe)
}

// emptied finds that Redis has much less of what it is asked for than usual. Who asks for more and other things than before, as a crowd
// that has just come does, misses them without any fault of Redis: it has to have been asked for what it had.
func emptied(v view) []sign {
	const few, least, lately = 4, 24, 15
	hits, misses := v.sum("l2.hits", few), v.sum("l2.misses", few)
	usual, known := v.before(redis, Emptied, func(s Sample) (float64, bool) {
		n := s.Values["l2.hits"] + s.Values["l2.misses"]
		return s.Values["l2.misses"], n >= 0
	})
	if !known || v.is("l2.up", 0) || !v.alive(redis) || misses < least || misses/few < 4*usual+3 || hits > misses ||
		v.peak("l2.hits", v.since(redis, Emptied), few, lately) < misses/few/4 {
		return nil
	}
	return one(redis, Emptied, 0.6, "it did not have %.0f of %.0f values it was asked for in %d s; usually %.1f a second are missing", misses, hits+misses, few, usual)
}

// queueLink finds that processes do not reach NATS, or late.
func queueLink(v view) []sign {
	if !v.alive(nats) {
		return nil
	}
	failed := v.sum("outbox.failures", 3) + v.sum("intake.failed", 3)
	members, known := v.now("bus.members")
	usual, before := v.before(nats, Unreachable, value("bus.members"))
	if failed > 0 || known && before && members < 0.3*usual {
		return one(nats, Unreachable, 0.8, "%.0f messages of the last seconds could not be given to it, and processes hear of %.0f others instead of %.0f; asked directly, it answers", failed, members, usual)
	}
	now, ok := v.mean("outbox.s", "outbox.n", 3, 3)
	late, enough := v.before(nats, Slow, per("outbox.s", "outbox.n", 2))
	if !ok || !enough || now < 2*late || now < late+0.08 || v.saturated() && now < 2.5*late+0.05 {
		return nil
	}
	return one(nats, Slow, 0.6, "an event waits %.0f ms in its outbox until it is taken, usually %.0f ms; asked directly, the queue answers", 1e3*now, 1e3*late)
}

// origins compares what the edge sees of each API process.
func origins(v view) (out []sign) {
	for _, api := range v.instances("origin.up") {
		n, bad := v.sum("origin.n/"+api, 3), v.sum("origin.5xx/"+api, 3)
		if bad >= 2 && bad >= 0.02*n && v.sum("db.bad", 3) == 0 {
			out = append(out, one(api, Errors, 0.8, "%.0f of its last %.0f answers were errors", bad, n)...)
		}
		answers := !v.is("process.answers/"+api, 0) && v.alive(api)
		failed := v.sum("origin.failed/"+api, 2)
		switch {
		case answers && v.is("origin.up/"+api, 0):
			out = append(out, one(api, Unreachable, 0.8, "the edge does not reach it (%.0f attempts failed), while it answers whoever asks it directly", failed)...)
		case answers:
			out = append(out, v.slowOrigin(api)...)
		}
	}
	return out
}

func (v view) slowOrigin(api string) []sign {
	now, ok := v.mean("origin.s/"+api, "origin.n/"+api, 3, 3)
	usual, known := v.before(api, Slow, per("origin.s/"+api, "origin.n/"+api, 2))
	inside, _ := v.mean("api.s/"+api, "api.n/"+api, 3, 1)
	if !ok || !known || now < 2*usual || now < usual+0.025 || inside > 0.5*now || v.saturated() && !v.late(now, usual) {
		return nil
	}
	return one(api, Slow, 0.8, "the edge waits %.0f ms for its answers, usually %.0f ms, of which the process itself takes %.0f ms", 1e3*now, 1e3*usual, 1e3*inside)
}

func payments(v view) []sign {
	unknown, n := v.sum("payment.unknown", 5), v.sum("payment.n", 5)
	if unknown < 2 || unknown < 0.05*n {
		return nil
	}
	return one("payment", Silent, 0.9, "%.0f of the last %.0f charges got no answer in time", unknown, n)
}

// machine finds that somebody else takes the processors.
func machine(v view) []sign {
	others := func(s Sample) (float64, bool) {
		busy, known := s.Values["cpu.busy"]
		return busy*s.Values["cpu.cores"] - s.Values["cpu.ours"], known
	}
	const look = 4
	var now, busy float64
	for _, s := range v.samples[max(0, len(v.samples)-look):] {
		x, _ := others(s)
		now, busy = now+x/look, busy+s.Values["cpu.busy"]/look
	}
	usual, known := v.before("machine", Pressure, others)
	cores, _ := v.now("cpu.cores")
	if !known || now < usual+0.25*cores || busy < 0.85 {
		return nil
	}
	return one("machine", Pressure, 0.6, "processes that are not the platform's take %.1f of %.0f processors, usually %.1f; the machine is %.0f %% busy", now, cores, usual, 100*busy)
}

// crowd finds many times the load, and a sale of few products when most of them buy.
func crowd(v view) []sign {
	const look, times, least = 2, 4, 60
	now := v.sum("http.n", look) / look
	usual, known := v.before("edge", Spike, value("http.n"))
	if !known || now < times*usual || now < usual+least {
		return nil
	}
	out := one("edge", Spike, 0.85, "%.0f requests a second arrive, usually %.0f", now, usual)
	if bought := v.sum("http.checkouts", look); bought >= 0.12*now*look {
		out = append(out, one("edge", HotProduct, 0.7, "%.0f requests a second arrive, usually %.0f, and %.0f %% of them want to buy: a sale of few products", now, usual, 100*bought/(now*look))...)
	}
	return out
}

// clients finds connections that are held without being used.
func clients(v view) []sign {
	fds, ok := v.now("http.fds")
	usual, known := v.before("edge", SlowClients, value("http.fds"))
	rate, _ := v.before("edge", SlowClients, value("http.n"))
	now := v.sum("http.n", 2) / 2
	if !ok || !known || fds < usual+150 || now > 2*rate+20 {
		return nil
	}
	return one("edge", SlowClients, 0.8, "the edge holds %.0f connections and files, usually %.0f, while %.0f requests a second arrive, usually %.0f", fds, usual, now, rate)
}
