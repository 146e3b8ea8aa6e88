"""What waves are good for: gradients, products, Jacobians, Hessians, and checks of them."""
