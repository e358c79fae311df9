package waitroom_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/stampede-shop/stampede/edge/waitroom"
)

func Example() {
	doors := time.Now().Add(time.Hour)
	rooms, err := waitroom.New(waitroom.Options{
		Keys:    [][]byte{[]byte("a secret of the shop's, 32 bytes.")},
		Rooms:   []waitroom.Room{{Name: "lamps", From: time.Now(), Opens: doors, Until: doors.Add(24 * time.Hour)}},
		Session: func(http.ResponseWriter, *http.Request) (string, error) { return "ann", nil },
	})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	rooms.Run(ctx) // a goroutine of its own, elsewhere

	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/cart/add", nil)
	if !rooms.Let(w, r, "lamps") {
		fmt.Println(w.Code, w.Result().Cookies()[0].Name)
	}
	// Output: 503 place-lamps
}
