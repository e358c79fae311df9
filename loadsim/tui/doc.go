// Package tui shows a load run while it lasts: on a terminal a picture that is drawn over and over, elsewhere a plain line
// now and then. It is apart from loadsim so that only programs with a terminal link the drawing.
package tui
