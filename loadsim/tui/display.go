package tui

import (
	"io"
	"os"
	"sync"

	tea "charm.land/bubbletea/v2"

	"github.com/stampede-shop/stampede/loadsim"
)

// Display is a picture of a run on a terminal.
type Display struct {
	program *tea.Program
	done    chan struct{}
	once    sync.Once
}

// Start begins to draw on a terminal. When the user presses q or Ctrl-C on in, end is called; in may be nil when there is
// no keyboard. Whoever starts a display stops it.
func Start(out io.Writer, in *os.File, end func()) *Display {
	return start(out, in, end)
}

func start(out io.Writer, in *os.File, end func(), opts ...tea.ProgramOption) *Display {
	opts = append(opts, tea.WithOutput(out), tea.WithoutSignalHandler(), tea.WithFPS(10))
	if in != nil {
		opts = append(opts, tea.WithInput(in))
	} else {
		opts = append(opts, tea.WithInput(nil))
	}
	d := &Display{program: tea.NewProgram(&model{end: end}, opts...), done: make(chan struct{})}
	go func() {
		defer close(d.done)
		_, _ = d.program.Run() // a terminal that cannot be drawn on is no reason to end the run
	}()
	return d
}

// Show draws how the run stands.
func (d *Display) Show(s loadsim.Snapshot) {
	select {
	case <-d.done:
	default:
		d.program.Send(s)
	}
}

// Stop removes the picture and gives the terminal back. Stopping twice is fine.
func (d *Display) Stop() {
	d.once.Do(func() {
		d.program.Send(goAway{})
		d.program.Quit()
	})
	<-d.done
}

// goAway asks for an empty screen.
type goAway struct{}

// model is what bubbletea draws.
type model struct {
	end   func()
	last  loadsim.Snapshot
	rates []float64
	seen  bool
	gone  bool
	ended bool
}

// Init does nothing.
func (m *model) Init() tea.Cmd { return nil }

// Update takes a snapshot or a key.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case loadsim.Snapshot:
		m.last, m.seen = msg, true
		m.rates = append(m.rates, perSecond(msg.Last.Requests, msg.Last.Seconds))
		m.rates = m.rates[max(0, len(m.rates)-chartWidth):]
	case tea.KeyPressMsg:
		if k := msg.String(); (k == "q" || k == "ctrl+c") && !m.ended {
			m.ended = true
			m.end()
		}
	case goAway:
		m.gone = true
	}
	return m, nil
}

// View draws.
func (m *model) View() tea.View {
	switch {
	case m.gone:
		return tea.NewView("")
	case m.ended:
		return tea.NewView("ending …\n")
	case !m.seen:
		return tea.NewView("looking at the shop …\n")
	}
	return tea.NewView(picture(m.last, m.rates))
}
