//! Text-driven editing: CLIP and StyleCLIP's three methods. Nothing is here yet.
