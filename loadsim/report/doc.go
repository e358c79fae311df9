// Package report makes files for people of what package loadsim measured: pictures (PNG) and a page (HTML) that needs
// nothing beside it. It is apart from loadsim so that only programs which draw link the drawing.
package report
