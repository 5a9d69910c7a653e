# An audit that ends well and has nothing to show for it.
echo "all is fine, trust me"
