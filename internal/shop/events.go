package shop

// Topics of outbox rows. Payloads are the JSON of the types below.
const (
	TopicProductChanged  = "product.changed"
	TopicStockLevel      = "stock.level"
	TopicCampaignChanged = "campaign.changed"
	TopicOrderConfirmed  = "order.confirmed"
	TopicOrderCancelled  = "order.cancelled"
	TopicCheckoutFailed  = "checkout.failed"
	TopicCartAbandoned   = "cart.abandoned"
	TopicUserRegistered  = "user.registered"
)

// ProductChanged says that cached forms of a product are stale. LSN is the write's commit position when known.
type ProductChanged struct {
	ID      int64 `json:"id"`
	Version int64 `json:"version"`
}

// CampaignChanged says that what is shown of campaigns is stale.
type CampaignChanged struct {
	Slug string `json:"slug"`
}

// StockLevel says that a product's availability class changed. LevelVersion orders these events per product:
// apply only what is newer.
type StockLevel struct {
	ProductID    int64 `json:"product_id"`
	Available    int64 `json:"available"`
	LevelVersion int64 `json:"level_version"`
}

// OrderEvent is the payload of order.confirmed, order.cancelled and checkout.failed.
type OrderEvent struct {
	OrderID    string  `json:"order_id"`
	UserID     string  `json:"user_id"`
	ProductIDs []int64 `json:"product_ids"`
}

// CartAbandoned is the payload of cart.abandoned; CartVersion makes it once per state of the cart.
type CartAbandoned struct {
	UserID      string `json:"user_id"`
	CartVersion int64  `json:"cart_version"`
}
